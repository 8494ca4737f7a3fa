"""Bad input: one line that says what is wrong, exit code 1, nothing lost and nothing left behind."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from cli.conftest import Answer, Command
from conftest import SMALL, write_pictures

TINY = ["--preset", "stylegan2-tiny", "--batch", "8", *(f"--set={path}={value}" for path, value in SMALL.items())]


@pytest.fixture
def refused(command: Command) -> Any:
    """Run a command that must end with one line on standard error that holds `message`."""

    def run(message: str, *words: object) -> Answer:
        answer = command(*words)
        assert answer.code == 1, answer
        assert answer.out == ""
        errors = [line for line in answer.err.splitlines() if line.startswith("limner: ")]
        assert len(errors) == 1, answer.err
        assert errors[0] == answer.err.splitlines()[-1]
        assert "Traceback" not in answer.err
        assert message in errors[0], errors[0]
        return answer

    return run


def png(path: Path, height: int = 16, width: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)).save(path)


@pytest.mark.parametrize("verb", ["train", "prepare", "info"])
def test_missing_pictures(refused: Any, tmp_path: Path, verb: str) -> None:
    words = {"train": ["--data", "nowhere"], "prepare": ["nowhere", tmp_path / "a.zip"], "info": ["nowhere"]}
    refused("DataError: no such folder or file: nowhere", verb, *words[verb])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["train", "prepare", "info"])
def test_an_empty_folder(refused: Any, tmp_path: Path, verb: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = {"train": ["--data", empty], "prepare": [empty, tmp_path / "a.zip"], "info": [empty]}
    refused("DataError: no pictures in", verb, *words[verb])


def test_no_readable_picture(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("not a picture")
    refused("DataError: no readable picture in", "train", "--data", tmp_path / "photos")
    refused("DataError: no usable picture in", "prepare", tmp_path / "photos", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_mixed_sizes_without_prepare(refused: Any, tmp_path: Path) -> None:
    png(tmp_path / "photos" / "a.png")
    png(tmp_path / "photos" / "b.png", 20, 24)
    answer = refused("have 2 sizes (height x width): 16x16 (1), 20x24 (1)", "train", "--data", tmp_path / "photos")
    assert "run: limner prepare" in answer.err


def test_a_resolution_no_network_can_be_built_for(refused: Any, picture_folder: Path, tmp_path: Path) -> None:
    refused("no network can be built for 17x17", "train", "--data", picture_folder, "--resolution", 17)
    refused("no network can be built for 17x17", "prepare", picture_folder, tmp_path / "a.zip", "--resolution", 17)
    odd = write_pictures(tmp_path / "odd", 2, size=(17, 17))
    refused("no network can be built for 17x17", "train", "--data", odd)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "stylegan2-tyni"], "unknown preset 'stylegan2-tyni'. Did you mean 'stylegan2-tiny'?"),
        (["--set", "objective.r1_gama=3"], "unknown setting 'objective.r1_gama'. Did you mean 'objective.r1_gamma'?"),
        (["--set", "objective"], "--set: got 'objective', expected path=value"),
        (["--set", "batch=many"], "batch: got 'many' (str), expected int"),
        (["--kimg", "-5"], "total_kimg: got -5"),
        (["--kimg", "nan"], "total_kimg: got nan"),
        (["--kimg", "0"], "total_kimg: got 0"),
        (["--batch", "-8"], "batch: got -8"),
        (["--gamma", "-1"], "objective.r1_gamma: got -1"),
        (["--batch", "6", "--nproc", "4"], "batch: got 6, expected a multiple of the 4 processes"),
        (["--batch-gpu", "5"], "batch_gpu: got 5"),
        (["--gpus", "64"], "got --gpus 64, but torch sees"),
        (["--aug", "fixed"], "give a probability such as --p 0.2"),
        (["--augpipe", "bgd"], "unknown augmentation pipe 'bgd'"),
        (["--metrics", "swdk2"], "unknown metric 'swdk2'"),
        (["--resolution", "large"], "resolution: got 'large'"),
        (["--config", "missing.yaml"], "cannot read configuration file 'missing.yaml': No such file"),
        (["--cond"], "have no labels to condition on"),
        (["--device", "gpu"], "device: got 'gpu', expected auto, cpu"),
        (["--init-from", "nowhere"], "'nowhere' does not exist"),
        (["--resume", "nowhere"], "'nowhere' does not exist"),
    ],
)
def test_flags_that_make_no_sense(
    refused: Any, picture_folder: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    preset = [] if "--preset" in words else ["--preset", "stylegan2-tiny"]
    refused(message, "train", "--data", picture_folder, "--out", tmp_path / "run", *preset, *words)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_configuration_or_of_other_things(
    refused: Any, command: Command, picture_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", "--data", picture_folder, *TINY, "--out", run]
    assert command(*words).code == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused("holds a run of other settings (objective.r1_gamma: ", *words, "--gamma", 99)
    others = write_pictures(tmp_path / "others", 3)
    refused("was trained on other pictures", "train", "--data", others, *TINY, "--out", run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    refused("is not empty and holds no run", "train", "--data", picture_folder, *TINY, "--out", tmp_path / "home")


@pytest.fixture
def snapshot(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(tiny_run / "snapshots" / "000002", tmp_path / "snapshot")


@pytest.mark.parametrize("verb", ["generate", "mix", "interpolate", "info"])
def test_a_truncated_checkpoint(refused: Any, snapshot: Path, tmp_path: Path, verb: str) -> None:
    file = snapshot / "generator_ema.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    out = ["--out", tmp_path / "out.png"]
    words = {
        "generate": ["--seeds", 1, "--out", tmp_path / "out"],
        "mix": ["--rows", 1, "--cols", 2, *out],
        "interpolate": ["--seeds", "1,2", "--out", tmp_path / "out.gif"],
        "info": [],
    }
    refused("generator_ema.safetensors' is damaged", verb, snapshot, *words[verb])
    assert {path.name for path in tmp_path.iterdir()} == {"snapshot"}


def test_a_checkpoint_with_a_missing_an_extra_or_a_reshaped_tensor(refused: Any, snapshot: Path) -> None:
    file = snapshot / "generator_ema.safetensors"
    with safetensors.safe_open(file, framework="pt") as opened:
        about, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    changes = {
        "tensor 'w_avg' is missing": {name: tensor for name, tensor in tensors.items() if name != "w_avg"},
        "got tensor 'extra' (1 in all), which the network does not have": {**tensors, "extra": torch.zeros(1)},
        "tensor 'w_avg' has shape [3], expected [16]": {**tensors, "w_avg": torch.zeros(3)},
    }
    for message, changed in changes.items():
        safetensors.torch.save_file(changed, file, metadata=about)
        refused(message, "generate", snapshot, "--seeds", 1)


def test_a_checkpoint_of_another_kind(refused: Any, snapshot: Path, tmp_path: Path) -> None:
    refused("is not a generator", "generate", snapshot / "discriminator.safetensors", "--seeds", 1)
    foreign = tmp_path / "network.pkl"
    foreign.write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    refused("is no checkpoint of another program", "generate", foreign, "--seeds", 1)
    safetensors.torch.save_file({"w": torch.zeros(1)}, snapshot / "generator_ema.safetensors")
    refused("was not written by limner", "generate", snapshot, "--seeds", 1)


def test_a_damaged_run_is_not_trained_on(refused: Any, command: Command, picture_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["train", "--data", picture_folder, *TINY, "--out", run]
    assert command(*words).code == 0
    (run / "config.json").write_text("{")
    refused("config.json' cannot be read", *words)
    assert list((run / "state").glob("*.pt"))


def test_labels_that_do_not_fit_the_pictures(refused: Any, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "photos", 3)
    (folder / "dataset.json").write_text(json.dumps({"labels": [["000.png", 0], ["001.png", 1]]}))
    refused("DataError: ", "train", "--data", folder, "--cond")
    (folder / "dataset.json").write_text(json.dumps({"labels": [["000.png", 0], ["001.png", [1, 2]], ["002.png", 1]]}))
    refused("DataError: ", "train", "--data", folder, "--cond")
    (folder / "dataset.json").write_text('{"labels": [["000.png", NaN], ["001.png", 1], ["002.png", 1]]}')
    refused("DataError: ", "train", "--data", folder, "--cond")


def test_a_zip_that_climbs_out_of_its_folder(refused: Any, tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "../../a.png")
    refused("DataError: ", "train", "--data", tmp_path / "evil.zip")
    refused("DataError: ", "prepare", tmp_path / "evil.zip", tmp_path / "out.zip")


def test_a_label_a_network_has_no_use_for_or_cannot_do_without(
    refused: Any, tiny_run: Path, conditional_run: Path, tmp_path: Path
) -> None:
    out = ["--seeds", 1, "--out", tmp_path / "out"]
    refused("this generator is unconditional; leave the label out", "generate", tiny_run, "--class", 1, *out)
    refused("this generator is conditional: give the number of a class (0 to 2)", "generate", conditional_run, *out)
    refused("label: got 7, expected 0 to 2", "generate", conditional_run, "--class", 7, *out)
    refused("label: got 'cat'", "generate", conditional_run, "--class", "cat", *out)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "3-1"], "seeds: got the range '3-1', expected it to rise; write 1-3"),
        (["--seeds", "one"], "seeds: got 'one'"),
        (["--seeds", "4294967296"], "seeds: got 4294967296"),
        (["--trunc", "nan"], "truncation psi: got nan"),
        (["--cutoff", "99"], "truncation cutoff: got 99, expected 0 to 6"),
        (["--device", "cuda:99"], "device: got 'cuda:99'"),
    ],
)
def test_pictures_that_cannot_be_made(
    refused: Any, tiny_run: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    refused(message, "generate", tiny_run, "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()
