"""From what is asked for to the configuration of a run: layers, data set, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from limner.api import RunRequest, configure
from limner.api.runs import merged
from limner.config import to_yaml
from limner.errors import CheckpointError, ConfigError, DataError, LimnerError


def ask(data: Path, **request: Any) -> Any:
    """The configuration of a request with the tiny preset."""
    return configure(RunRequest(**{"data": str(data), "preset": "stylegan2-tiny", **request})).config


def yaml_file(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_resolution_and_channels_come_from_the_pictures(picture_folder: Path) -> None:
    config = ask(picture_folder)
    assert config.preset == "stylegan2-tiny"
    assert config.data.path == str(picture_folder)
    assert config.data.resolution == config.generator.img_resolution == config.discriminator.img_resolution == (16, 16)
    assert config.data.channels == config.generator.img_channels == 3


def test_a_resolution_asked_for_reaches_the_preset_and_every_part(picture_folder: Path) -> None:
    config = ask(picture_folder, resolution=(8, 8), channels=1)
    assert config.data.resolution == config.generator.img_resolution == config.discriminator.img_resolution == (8, 8)
    assert config.data.channels == config.generator.img_channels == config.discriminator.img_channels == 1
    assert config.generator.channel_base < ask(picture_folder).generator.channel_base


def test_the_formula_of_auto_sees_batch_and_processes(picture_folder: Path) -> None:
    one = ask(picture_folder, preset="stylegan2-ada-auto", batch=16)
    four = ask(picture_folder, preset="stylegan2-ada-auto", batch=16, num_processes=8)
    assert one.batch == four.batch == 16
    assert one.objective.r1_gamma == pytest.approx(0.0002 * 16**2 / 16)
    assert (one.discriminator.mbstd_group, four.discriminator.mbstd_group) == (4, 2)


def test_files_win_over_the_preset_and_flags_over_files(picture_folder: Path, tmp_path: Path) -> None:
    low = yaml_file(tmp_path, "batch: 4\nobjective: {r1_gamma: 3, pl_weight: 1}\ndata: {mirror: true}", "low.yaml")
    high = yaml_file(tmp_path, "objective: {r1_gamma: 5}", "high.yaml")
    config = ask(picture_folder, files=(low, high), batch=8, settings={"objective.pl_weight": "0.5"})
    assert (config.batch, config.objective.r1_gamma, config.objective.pl_weight) == (8, 5, 0.5)
    assert config.data.mirror


def test_the_printed_yaml_of_a_run_gives_the_same_run(class_folder: Path, tmp_path: Path) -> None:
    config = ask(class_folder, cond=True, batch=4, settings={"augment.mode": "ada", "data.subset": 6})
    file = yaml_file(tmp_path, to_yaml(config))
    assert configure(RunRequest(files=(file,))).config == config


def test_a_flag_changes_the_resolution_a_file_had(picture_folder: Path, tmp_path: Path) -> None:
    file = yaml_file(tmp_path, to_yaml(ask(picture_folder)))
    config = configure(RunRequest(files=(file,), resolution=(8, 8))).config
    assert config.generator.img_resolution == config.data.resolution == (8, 8)


def test_labels_make_a_run_conditional_when_asked(class_folder: Path, tmp_path: Path) -> None:
    assert ask(class_folder).generator.c_dim == 0
    config = ask(class_folder, cond=True)
    assert config.data.cond
    assert config.data.c_dim == config.generator.c_dim == config.discriminator.c_dim == 3
    file = yaml_file(tmp_path, to_yaml(config))
    plain = configure(RunRequest(files=(file,), cond=False)).config
    assert (plain.data.cond, plain.generator.c_dim, plain.discriminator.c_dim) == (False, 0, 0)


def test_attributes_are_no_classes_to_tell_apart(picture_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(picture_folder, tmp_path / "attributes"))
    names = sorted(path.name for path in folder.glob("*.png"))
    rows = [f"{name} {2 * (i % 2) - 1} {2 * (i // 2 % 2) - 1}" for i, name in enumerate(names)]
    (folder / "list_attr.txt").write_text("\n".join([str(len(names)), "hat beard", *rows]) + "\n")
    with pytest.raises(DataError, match="are attributes, several or none at once, but preset 'progan-tiny'"):
        ask(folder, preset="progan-tiny", cond=True)
    free = ask(folder, preset="progan-tiny", cond=True, settings={"objective.class_weight": 0})
    assert free.generator.c_dim == ask(folder, cond=True).generator.c_dim == 2


def test_starting_from_trained_networks_moves_p_faster_unless_told_otherwise(
    picture_folder: Path, tiny_run: Path
) -> None:
    config = ask(picture_folder, init_from=tiny_run)
    assert (config.augment.speed_kimg, config.ema.rampup) == (100, None)
    told = ask(picture_folder, init_from=tiny_run, settings={"augment.speed_kimg": 300})
    assert told.augment.speed_kimg == 300


def test_networks_to_start_from_are_looked_for_unless_the_run_is_there_already(
    picture_folder: Path, tiny_run: Path
) -> None:
    with pytest.raises(CheckpointError, match="'gone' does not exist"):
        ask(picture_folder, init_from=Path("gone"))
    plan = configure(RunRequest(data=str(picture_folder), init_from=Path("gone"), run_dir=tiny_run))
    assert plan.is_resumed


def test_a_run_goes_on_with_its_own_settings(tiny_run: Path, picture_folder: Path) -> None:
    plan = configure(RunRequest(run_dir=tiny_run, data=str(picture_folder), settings={"total_kimg": 5}))
    assert plan.is_resumed
    assert plan.base.generator == plan.config.generator
    assert plan.config.generator.channel_max == 8
    assert plan.config.total_kimg == 5


def test_a_preset_asked_for_must_be_that_of_the_run(tiny_run: Path, picture_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds a run of other settings \(generator.z_dim: 16 there, 128 now"):
        ask(picture_folder, run_dir=tiny_run)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        ask(picture_folder, run_dir=tmp_path)
    assert ask(picture_folder, run_dir=tmp_path / "new").generator.z_dim == 128


def test_the_subset_is_counted(picture_folder: Path) -> None:
    plan = configure(
        RunRequest(data=str(picture_folder), preset="stylegan2-tiny", settings={"data.subset": 5, "seed": 3})
    )
    assert (plan.num_pictures, plan.config.data.subset, plan.config.seed) == (5, 5, 3)


def test_pictures_reduced_on_reading_are_noted(picture_folder: Path) -> None:
    plan = configure(RunRequest(data=str(picture_folder), preset="stylegan2-tiny", resolution=(8, 8)))
    assert plan.data_note == "pictures of 16x16 are averaged down to 8x8"


def test_a_path_that_looks_like_a_number_stays_a_path(picture_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(picture_folder.parent)
    (picture_folder.parent / "007").symlink_to(picture_folder)
    assert configure(RunRequest(data="007", preset="stylegan2-tiny")).config.data.path == "007"


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"preset": "stylegan2-tyni"}, ConfigError, "unknown preset 'stylegan2-tyni'. Did you mean 'stylegan2-tiny'?"),
        ({"resolution": (17, 17)}, ConfigError, "no network can be built for 17x17 .*; use 16x16 or 14x14"),
        (
            {"resolution": (32, 32)},
            DataError,
            "are 16x16 pixels .* expected 32x32 or a whole multiple; run: limner pre",
        ),
        ({"cond": True}, DataError, "have no labels to condition on; leave out --cond"),
        ({"batch": 6, "num_processes": 4}, ConfigError, "batch: got 6, expected a multiple of the 4 processes"),
        ({"settings": {"batch_gpu": 3}}, ConfigError, "batch_gpu: got 3, expected a divisor of 16"),
        ({"settings": {"batch": "0"}}, ConfigError, "batch: got 0, expected >= 1"),
        ({"settings": {"total_kimg": -5}}, ConfigError, "total_kimg: got -5"),
        ({"settings": {"objective.r1_gama": 1}}, ConfigError, "'objective.r1_gama'. Did you mean 'objective.r1_gamma'"),
        ({"settings": {"batch": "many"}}, ConfigError, "batch: got 'many' .*expected int"),
        ({"settings": {"augment.mode": "fixed"}}, ConfigError, "give a probability such as --p 0.2"),
        ({"settings": {"augment.pipe": "bgd"}}, ConfigError, "'bgd'.* Did you mean"),
        ({"settings": {"augment.policy": "colour"}}, ConfigError, "'colour'.* Did you mean 'color'"),
        ({"settings": {"callbacks.names": "progres"}}, ConfigError, "'progres'.* Did you mean 'progress'"),
        ({"settings": {"callbacks.metrics": "swd2"}}, ConfigError, "unknown metric 'swd2'.* Did you mean 'swd"),
        ({"settings": {"data.resolution": "8"}}, ConfigError, r"generator.img_resolution: got \[16, 16\]"),
        ({"settings": {"generator.z_dim": 0}}, LimnerError, "z_dim: got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    picture_folder: Path, request_: dict[str, Any], error: type[LimnerError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask(picture_folder, **request_)


def test_a_run_needs_pictures() -> None:
    with pytest.raises(ConfigError, match="no pictures to train on; give --data FOLDER"):
        configure(RunRequest(preset="stylegan2-tiny"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objective: {r1_gama: 3}", "unknown setting 'objective.r1_gama'. Did you mean 'r1_gamma'?"),
        ("objective: 3", "objective: got 3, expected a mapping"),
        ("data: 3", "data: got 3, expected a mapping"),
        ("batch: many", "batch: got 'many'"),
        ("1: 2", "unknown setting '1'"),
        ("- 1\n- 2", "got list, expected a mapping"),
        ("preset: stylegan2-config-f", "is of preset 'stylegan2-config-f', --preset says 'stylegan2-tiny'; drop one"),
        ("room: stylegan9", "of room 'stylegan9', but preset 'stylegan2-tiny' is of room 'stylegan2'"),
        ("{", "is not YAML"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(picture_folder: Path, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(picture_folder, files=(yaml_file(tmp_path, text),))


def test_a_data_set_with_another_number_of_labels_is_refused(
    class_folder: Path, picture_folder: Path, tmp_path: Path
) -> None:
    text = to_yaml(ask(class_folder, cond=True))
    with pytest.raises(DataError, match="have no labels"):
        configure(RunRequest(files=(yaml_file(tmp_path, text),), data=str(picture_folder)))
    text = text.replace("c_dim: 3", "c_dim: 5")
    with pytest.raises(DataError, match=r"labels of 3 values, the configuration expects data.c_dim=5"):
        configure(RunRequest(files=(yaml_file(tmp_path, text),)))


def test_the_home_folder_is_known_by_its_sign(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").symlink_to(picture_folder)
    file = yaml_file(tmp_path, "batch: 4")
    assert ask(Path("~/photos"), files=(Path(f"~/{file.name}"),)).batch == 4


def test_laying_over_goes_leaf_by_leaf_and_leaves_its_arguments_alone() -> None:
    low, high = {"a": {"x": 1, "y": [1, 2]}, "b": 1}, {"a": {"y": [3]}, "b": {"z": 1}, "c": None}
    assert merged(low, high) == {"a": {"x": 1, "y": [3]}, "b": {"z": 1}, "c": None}
    assert low == {"a": {"x": 1, "y": [1, 2]}, "b": 1}
