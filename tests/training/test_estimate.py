"""The estimate of a run: what is counted, how it is put together, and that its steps are real."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from limner import registry
from limner.config import RunConfig, with_changes
from limner.papers.base import Phase
from limner.training import estimate as module
from limner.training.estimate import Estimate, estimate
from limner.training.schedule import Moment
from training.runs import EVERYTHING, tiny

CPU = torch.device("cpu")


@pytest.fixture
def config() -> RunConfig:
    return tiny("nowhere", 1, **EVERYTHING)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replace the clock: a sample takes 1 s in a main phase and 2 s in a regularising one; returns what was run."""
    run: list[tuple[str, int]] = []

    def timed(state: object, phase: Phase, config: RunConfig, now: Moment, size: int, steps: int) -> float:
        run.append((phase.name, size))
        return size * (1.0 if phase.interval == 1 else 2.0)

    monkeypatch.setattr(module, "_time_phase", timed)
    monkeypatch.setattr(module, "_time_ema", lambda state: 0.5)
    return run


def test_every_phase_is_really_run(config: RunConfig) -> None:
    result = estimate(config, CPU, steps=1)
    assert list(result.phase_sec) == ["G", "G_pl", "D", "D_r1"]
    assert all(seconds > 0 for seconds in result.phase_sec.values())
    assert result.sec_per_kimg > sum(result.phase_sec[name] for name in ("G", "D")) / config.batch * 1000
    assert result.measured_round == config.batch
    assert result.peak_memory_mb > 50


def test_parameters_are_those_of_the_networks(config: RunConfig) -> None:
    room = registry.get("papers", config.room)
    networks = {"G": room.Generator(config.generator), "D": room.Discriminator(config.discriminator)}
    expected = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    assert estimate(config, CPU, steps=1).num_parameters == expected


def test_a_conditional_run_is_estimated_too() -> None:
    assert estimate(tiny("nowhere", 1, c_dim=3), CPU, steps=1).sec_per_kimg > 0


def test_regularisers_count_by_their_interval(config: RunConfig, steps: list[tuple[str, int]]) -> None:
    result = estimate(config, CPU)
    assert steps == [("G", 8), ("G_pl", 8), ("D", 8), ("D_r1", 8)]
    iteration = 8 + 16 / 4 + 8 + 16 / 16 + 0.5
    assert result.sec_per_kimg == pytest.approx(iteration / 8 * 1000)


def test_accumulated_rounds_count_each(config: RunConfig, steps: list[tuple[str, int]]) -> None:
    result = estimate(with_changes(config, {"batch_gpu": 2}), CPU)
    assert {size for _, size in steps} == {2}
    assert result.phase_sec == {"G": 8, "G_pl": 16, "D": 8, "D_r1": 16}


def test_processes_share_the_batch(config: RunConfig, steps: list[tuple[str, int]]) -> None:
    alone, shared = estimate(config, CPU), estimate(config, CPU, num_processes=4)
    assert {size for _, size in steps[4:]} == {2}
    assert shared.sec_per_kimg < alone.sec_per_kimg / 3


def test_a_large_round_is_extended_along_a_line(config: RunConfig, steps: list[tuple[str, int]]) -> None:
    large = with_changes(config, {"batch": 4096})
    result = estimate(large, CPU)
    assert {size for _, size in steps} == {512, 1024}  # 2^18 pixels are 1024 pictures of 16 x 16
    assert result.measured_round == 1024
    assert result.phase_sec["G"] == pytest.approx(4096)
    assert result.phase_sec["D_r1"] == pytest.approx(8192)


def test_one_picture_that_is_too_large_is_still_run(config: RunConfig) -> None:
    assert module._measured_sizes(32, (1024, 1024), CPU) == [1, 2]
    assert module._measured_sizes(1, (1024, 1024), CPU) == [1]
    assert module._measured_sizes(32, (1024, 1024), torch.device("cuda")) == [32]


def test_the_line_never_falls() -> None:
    assert module._extended([2, 4], [10.0, 20.0], 8) == 40.0
    assert module._extended([2, 4], [20.0, 10.0], 8) == 10.0
    assert module._extended([4], [10.0], 4) == 10.0


def test_an_estimate_leaves_no_files_and_no_random_numbers_behind(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    assert isinstance(estimate(config, CPU, steps=1), Estimate)
    assert torch.equal(before, torch.get_rng_state())
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_too_small_is_told_what_to_do(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "_step", fail)
    with pytest.raises(module.ConfigError, match=r"8 pictures at once do not fit the memory of 'cpu'.*--batch-gpu"):
        estimate(config, CPU)
