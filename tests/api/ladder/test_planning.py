"""Which runs a ladder consists of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limner.api.ladder import LadderRequest, find_ladder, ladders, plan_rungs
from limner.api.ladder.planning import PlannedRun
from limner.errors import ConfigError
from training.runs import write_pictures


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_pictures(tmp_path_factory.mktemp("ladder") / "discs", size=32))


def planned(data: str, name: str = "progan", **changes: Any) -> list[PlannedRun]:
    request: dict[str, Any] = {"name": name, "data": data, "out": Path("ladder"), "kimg": 20.0, "batch": 16}
    return plan_rungs(LadderRequest(**{**request, **changes}))


def test_every_ladder_names_presets_that_exist(data: str) -> None:
    assert {"progan", "stylegan", "stylegan2", "stylegan2-architectures"} <= set(ladders())
    for name, ladder in ladders().items():
        assert [run.rung for run in planned(data, name)] == list(ladder.rungs)


def test_every_run_has_the_same_length_seed_and_metrics(data: str) -> None:
    runs = planned(data, "stylegan2", evaluations=2)
    for run in runs:
        config = run.plan.config
        assert (config.total_kimg, config.seed, config.callbacks.metrics) == (20, 0, ("swd2k",))
        assert config.callbacks.tick_kimg * config.callbacks.snap == 10
        assert run.folder == Path("ladder") / run.rung.preset / "seed-0"


def test_batches_keep_the_published_proportion(data: str) -> None:
    """Rows a and b of ProGAN's table use 64 pictures where the others use 16: that is row c's difference."""
    batches = {run.rung.preset: run.plan.config.batch for run in planned(data, batch=8)}
    assert batches.pop("progan-a") == batches.pop("progan-b") == 32
    assert set(batches.values()) == {8}


def test_without_a_batch_each_rung_has_its_own(data: str) -> None:
    batches = {run.rung.preset: run.plan.config.batch for run in planned(data, batch=None)}
    assert (batches["progan-b"], batches["progan-c"]) == (64, 16)


def test_seeds_follow_one_another(data: str) -> None:
    runs = planned(data, repeat=2, seed=5, rungs=("progan-a", "progan-g"))
    assert [(run.rung.preset, run.seed) for run in runs] == [
        ("progan-a", 5),
        ("progan-g", 5),
        ("progan-a", 6),
        ("progan-g", 6),
    ]
    assert [run.plan.config.seed for run in runs] == [5, 5, 6, 6]


def test_settings_reach_every_run_and_scales_keep_differences(data: str) -> None:
    plain = {run.rung.preset: run.plan.config for run in planned(data)}
    runs = planned(data, settings={"ema.kimg": "3"}, scales={"optimizer.g_lr": 2, "generator.channel_base": 0.5})
    for run in runs:
        config, before = run.plan.config, plain[run.rung.preset]
        assert config.ema.kimg == 3
        assert config.optimizer.g_lr == 2 * before.optimizer.g_lr
        assert config.optimizer.d_lr == before.optimizer.d_lr
        assert config.generator.channel_base == before.generator.channel_base // 2
        assert isinstance(config.generator.channel_base, int)


def test_a_scale_reaches_every_entry_of_a_table(data: str) -> None:
    (plain,) = planned(data, "stylegan", rungs=("stylegan-config-f",), batch=None)
    (run,) = planned(
        data,
        "stylegan",
        rungs=("stylegan-config-f",),
        batch=None,
        scales={"schedule.batch_by_resolution": 0.5, "schedule.lr_by_resolution": 2},
    )
    halved = {side: batch // 2 for side, batch in plain.plan.config.schedule.batch_by_resolution.items()}
    assert halved == run.plan.config.schedule.batch_by_resolution == {8: 64, 16: 64, 32: 32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "progam"}, "unknown ladder 'progam'.* Did you mean 'progan'"),
        ({"rungs": ("progan-z",)}, "has no rung 'progan-z'"),
        ({"repeat": 0}, "repeat: got 0, expected at least 1"),
        ({"evaluations": 0}, "evaluations: got 0"),
        ({"metrics": ("swd3",)}, "unknown metric 'swd3'"),
        ({"scales": {"optimizer.lr": 2}}, "unknown setting 'optimizer.lr'"),
        ({"scales": {"objective.loss": 2}}, "got 'wgan', expected the path of a number"),
        ({"kimg": 0}, "kimg: got 0, expected more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(data: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(data, **changes)


def test_a_ladder_is_found_by_its_name() -> None:
    assert find_ladder("stylegan2").rungs[-1].preset == "stylegan2-config-f"
