"""The training loop: resuming exactly, surviving failures, and learning."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pytest
import torch

from limner.checkpoints import state as state_files
from limner.checkpoints.io import write_snapshot
from limner.checkpoints.state import load_latest_state
from limner.data import open_dataset
from limner.errors import CheckpointError, ConfigError, NonFiniteError
from limner.images import to_uint8
from limner.metrics.swd import METRICS, PatchAccumulator
from limner.papers.stylegan2 import objective
from limner.papers.stylegan2.discriminator import Discriminator
from limner.papers.stylegan2.generator import Generator
from limner.training import loop
from limner.training.callbacks.base import Callback
from limner.training.distributed import Processes
from limner.training.state import TrainingState
from training.runs import EVERYTHING, NUM_CLASSES, assert_same_state, flat, run, state_of, tiny

CPU = torch.device("cpu")
PAUSE_SEC = 0.1


@pytest.fixture(scope="module")
def uninterrupted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state after 20 iterations with every part of training at work."""
    return run(tiny(pictures, 20, **EVERYTHING), tmp_path_factory.mktemp("run"))


def call_after(iterations: int, action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `action()` once a run has done so many iterations more."""
    iterate, count = loop._iterate, 0

    def counting(*args: Any) -> None:
        nonlocal count
        iterate(*args)
        count += 1
        if count == iterations:
            action()

    monkeypatch.setattr(loop, "_iterate", counting)


def test_a_run_in_two_halves_equals_one_in_a_piece(
    pictures: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    """With ADA, R1, path length, style mixing, mirror and a ramp-up; the larger kimg extends the run."""
    half = run(tiny(pictures, 10, **EVERYTHING), tmp_path)
    assert half["iteration"] == 10
    assert half["augment_stats"][1] == 2, "the half ends between two adjustments of p"
    assert_same_state(run(tiny(pictures, 20, **EVERYTHING), tmp_path), uninterrupted)


def test_every_part_of_the_state_moved(uninterrupted: dict[str, Any], pictures: Path, tmp_path: Path) -> None:
    """Comparing states says little about parts that stay at their first value."""
    first = flat(run(tiny(pictures, 1, **EVERYTHING, optimizer__g_lr=0.0, optimizer__d_lr=0.0), tmp_path))
    last = flat(uninterrupted)
    trained = [path for path in last if path.startswith(("/modules/G/", "/modules/D/")) and "noise_const" not in path]
    assert [path for path in trained if torch.equal(last[path], first[path])] == []
    assert last["/modules/objective/pl_mean"] > 0
    assert last["/modules/G_ema/w_avg"].abs().sum() > 0
    assert last["/augment_p"] != pytest.approx(EVERYTHING["augment__p"])
    assert (last["/nimg"], last["/iteration"], last["/tick"]) == (160, 20, 4)


def test_accumulated_rounds_and_labels_resume_exactly_too(pictures: Path, tmp_path: Path) -> None:
    changes = EVERYTHING | {"batch_gpu": 4, "c_dim": NUM_CLASSES}
    whole = run(tiny(pictures, 12, **changes), tmp_path / "whole")
    run(tiny(pictures, 6, **changes), tmp_path / "halves")
    assert_same_state(run(tiny(pictures, 12, **changes), tmp_path / "halves"), whole)


def test_accumulated_rounds_make_the_step_of_the_whole_batch(pictures: Path, tmp_path: Path) -> None:
    """Without moving averages inside a phase (path length) the gradients are those of one round."""
    states = [
        flat(run(tiny(pictures, 3, batch=16, batch_gpu=batch_gpu), tmp_path / str(batch_gpu))) for batch_gpu in (16, 4)
    ]
    for path, value in states[0].items():
        if path.startswith("/modules") and "w_avg" not in path:
            torch.testing.assert_close(states[1][path], value, rtol=1e-5, atol=1e-5, msg=path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_stopped_in_the_middle_of_a_tick_goes_on_exactly(
    number: signal.Signals,
    pictures: Path,
    tmp_path: Path,
    uninterrupted: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny(pictures, 20, **EVERYTHING, callbacks__names="log")
    with monkeypatch.context() as patch:
        call_after(7, lambda: os.kill(os.getpid(), number), patch)
        assert run(config, tmp_path)["iteration"] == 7
    assert_same_state(run(config, tmp_path), uninterrupted)
    ticks = [json.loads(line)["kimg"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert ticks == sorted(set(ticks))


def test_a_finished_run_run_again_changes_nothing(pictures: Path, tmp_path: Path) -> None:
    config = tiny(pictures, 2, callbacks__names="log")
    run(config, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    loop.train(config, tmp_path, device=CPU, quiet=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_best_snapshot_is_remembered_over_sessions(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = loop._prepare
    seen: list[Any] = []

    def with_best(*args: Any) -> Any:
        prepared = prepare(*args)
        seen.append(prepared.state.best)
        prepared.shared["best"] = {"value": 12.5, "kimg": 0.016}
        return prepared

    monkeypatch.setattr(loop, "_prepare", with_best)
    run(tiny(pictures, 2), tmp_path)
    run(tiny(pictures, 3), tmp_path)
    assert seen == [None, {"value": 12.5, "kimg": 0.016}]


@contextmanager
def full_disk(allowed: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail every write of a training state after the first `allowed` bytes."""
    whole = state_files.atomic_file

    class Full:
        def __init__(self, file: BinaryIO) -> None:
            self.file, self.left = file, allowed

        def write(self, data: bytes) -> int:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    @contextmanager
    def small(path: Path, **options: Any) -> Iterator[Any]:
        with whole(path, **options) as file:
            yield Full(file)

    with monkeypatch.context() as patch:
        patch.setattr(state_files, "atomic_file", small)
        yield


def test_a_full_disk_leaves_the_previous_state_to_go_on_from(
    pictures: Path, tmp_path: Path, uninterrupted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny(pictures, 5, **EVERYTHING), tmp_path)
    before = sorted(path.name for path in (tmp_path / "state").iterdir())
    with (
        full_disk(10_000, monkeypatch),
        pytest.raises(CheckpointError, match=r"No space left.*the previous state is kept.*same command again"),
    ):
        run(tiny(pictures, 20, **EVERYTHING), tmp_path)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == before
    assert state_of(tmp_path)["iteration"] == 5
    assert_same_state(run(tiny(pictures, 20, **EVERYTHING), tmp_path), uninterrupted)


def test_a_damaged_newest_state_is_said_aloud_and_the_one_before_gives_the_same_run(
    pictures: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    run(tiny(pictures, 10, **EVERYTHING), tmp_path)
    newest = max((tmp_path / "state").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged.*resuming from the state before"):
        loop.train(tiny(pictures, 20, **EVERYTHING), tmp_path, device=CPU, quiet=True)
    assert_same_state(state_of(tmp_path), uninterrupted)


def test_a_folder_of_other_settings_is_refused_and_left_alone(pictures: Path, tmp_path: Path) -> None:
    state = run(tiny(pictures, 1), tmp_path)
    with pytest.raises(ConfigError, match=r"objective\.r1_gamma: 2\.0 there, 5\.0 now"):
        run(tiny(pictures, 2, objective__r1_gamma=5.0), tmp_path)
    assert_same_state(state_of(tmp_path), state)


@pytest.mark.parametrize(
    ("phase", "changes"), [("D_r1", {"objective__r1_gamma": 3e38}), ("G_pl", {"objective__pl_weight": 3e38})]
)
def test_a_gradient_that_is_not_finite_ends_the_run_by_the_name_of_its_phase(
    phase: str, changes: dict[str, float], pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(NonFiniteError, match=f"phase {phase}: got a gradient that is not finite after 0 kimg"):
        run(tiny(pictures, 4, **changes), tmp_path)
    assert load_latest_state(tmp_path) is None


def test_a_nan_in_the_middle_of_a_run_leaves_the_last_state(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(tiny(pictures, 5), tmp_path)
    loss, calls = objective.discriminator_loss, 0

    def broken(*logits: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(*logits) * (float("nan") if calls == 3 else 1.0)

    monkeypatch.setattr(objective, "discriminator_loss", broken)
    with pytest.raises(NonFiniteError, match=r"phase D: .*after 0\.056 kimg.*last saved state is untouched"):
        run(tiny(pictures, 20), tmp_path)
    assert_same_state(state_of(tmp_path), good)


def test_a_run_can_start_from_the_networks_of_a_snapshot(pictures: Path, tmp_path: Path) -> None:
    """With learning rates of 0 the networks are still the snapshot's after an iteration."""
    config = tiny(pictures, 1, optimizer__g_lr=0.0, optimizer__d_lr=0.0)
    torch.manual_seed(99)
    networks = {
        "generator": Generator(config.generator),
        "generator_ema": Generator(config.generator),
        "discriminator": Discriminator(config.discriminator),
    }
    write_snapshot(tmp_path / "snapshot", config, networks, {"kimg": 1.0})
    loop.train(config, tmp_path / "run", device=CPU, quiet=True, init_from=tmp_path / "snapshot")
    modules = state_of(tmp_path / "run")["modules"]
    for name, module in (("G", networks["generator"]), ("D", networks["discriminator"])):
        for key, value in module.named_parameters():
            assert torch.equal(modules[name][key], value), key


def test_resuming_takes_the_state_and_not_the_snapshot_again(pictures: Path, tmp_path: Path) -> None:
    config = tiny(pictures, 2)
    state = run(config, tmp_path)
    loop.train(config, tmp_path, device=CPU, quiet=True, init_from=tmp_path / "gone")
    assert_same_state(state_of(tmp_path), state)


def test_processes_that_see_different_states_are_told_to_share_a_disk(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "is_same", lambda *_: False)
    with pytest.raises(CheckpointError, match=r"read different training states .*after 0 kimg; put --out on a disk"):
        run(tiny(pictures, 1), tmp_path)


class Recorder(Callback):
    """Writes down what it is called for; slow between ticks."""

    calls: ClassVar[list[tuple[str, int]]] = []
    ticks: ClassVar[list[Mapping[str, float]]] = []

    def on_start(self, state: TrainingState) -> None:
        self.calls.append(("start", state.iteration))

    def on_step(self, state: TrainingState) -> None:
        self.calls.append(("step", state.iteration))

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        time.sleep(PAUSE_SEC)
        self.calls.append(("tick", state.iteration))
        self.ticks.append(dict(stats))

    def on_end(self, state: TrainingState) -> None:
        self.calls.append(("end", state.iteration))


def test_callbacks_see_steps_and_ticks_and_their_own_time_does_not_slow_the_pace(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "registry", SimpleNamespace(get=lambda *_: SimpleNamespace(make=Recorder)))
    run(tiny(pictures, 5, callbacks__names="recorder", callbacks__tick_kimg=0.016, callbacks__snap=2), tmp_path)
    steps = [("step", 1), ("step", 2), ("tick", 2), ("step", 3), ("step", 4), ("tick", 4), ("step", 5), ("tick", 5)]
    assert Recorder.calls == [("start", 0), *steps, ("end", 5)]
    first, second, last = Recorder.ticks
    assert [tick["snapshot"] for tick in Recorder.ticks] == [0.0, 1.0, 1.0]
    assert [tick["kimg"] for tick in Recorder.ticks] == [0.016, 0.032, 0.04]
    assert {"loss/G", "loss/D", "scores/real", "scores/fake", "augment_p", "data_wait"} <= {*second}
    assert "loss/D_r1" in first, "R1 is due at the first iteration and not again before the 17th"
    assert "loss/D_r1" not in second
    assert not any(name.startswith("guard/") for name in last)
    for tick, before in ((second, first), (last, second)):
        num_images = 1000 * (tick["kimg"] - before["kimg"])
        assert tick["sec_per_kimg"] == pytest.approx(1000 / tick["images_per_sec"])
        passed = tick["elapsed_sec"] - before["elapsed_sec"]
        assert passed >= PAUSE_SEC + 0.999 * num_images / tick["images_per_sec"]


def swd(images: torch.Tensor, others: torch.Tensor) -> float:
    """Sliced Wasserstein distance of two sets of pictures, uint8 [N, C, H, W] (`limner.metrics.swd`)."""
    metric, states = METRICS["swd2k"], []
    for pictures in (images, others):
        patches = PatchAccumulator((16, 16), 3, 0)
        patches.add(torch.arange(len(pictures)), pictures)
        states.append(patches.state())
        patches.close()
    return metric.compute(states[:1], states[1:], seed=0)[metric.name]


@torch.no_grad()
def generated(G: Generator, num_images: int) -> torch.Tensor:
    z = torch.randn(num_images, G.z_dim, generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(to_uint8(G(z))).permute(0, 3, 1, 2).contiguous()


def test_a_tiny_network_learns_faces_and_never_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 iterations bring 256 pictures from about 190 to 75; other real pictures are at 27."""
    monkeypatch.setattr(loop, "save_state", lambda *_: None)
    prepare, started = loop._prepare, []

    def keeping(*args: Any) -> Any:
        started.append(prepare(*args))
        first.append(generated(started[0].state.G_ema, 256))
        return started[0]

    first: list[torch.Tensor] = []
    monkeypatch.setattr(loop, "_prepare", keeping)
    width = {"generator__channel_max": 32, "discriminator__channel_max": 32}
    latent = {"generator__z_dim": 64, "generator__w_dim": 64}
    config = tiny("samples", 200, batch=16, callbacks__names="log", callbacks__tick_kimg=0.8, **width, **latent)
    loop.train(config, tmp_path, device=CPU, quiet=True)
    dataset = open_dataset("samples", resolution=(16, 16), subset=512)
    real, other = torch.from_numpy(np.stack([dataset.image(i) for i in range(512)])).split(256)
    distances = [swd(real, images) for images in (first[0], generated(started[0].state.G_ema, 256), other)]
    assert distances[1] < distances[0] / 2
    assert distances[2] < distances[1], "the distance ranks real pictures first"
    waits = [json.loads(line)["data_wait"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(waits) == 4
    assert max(waits[1:]) < 0.02
