"""Pictures from seeds, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner
from limner.api import convert, generate, parse_label
from limner.errors import CheckpointError, ConfigError, LimnerError


def test_loading_gives_a_generator_without_gradients(tiny_run: Path) -> None:
    G = limner.load(tiny_run)
    assert isinstance(G, limner.Generator)
    assert not G.training
    assert not any(parameter.requires_grad for parameter in G.parameters())


def test_a_run_a_snapshot_and_a_file_are_the_same_network(tiny_run: Path) -> None:
    snapshot = tiny_run / "snapshots" / "000002"
    pictures = [limner.load(path).sample([1])[0] for path in (tiny_run, snapshot, snapshot / "generator.safetensors")]
    assert pictures[0].tobytes() == pictures[1].tobytes() == pictures[2].tobytes()


def test_a_file_of_another_program_is_loaded_and_converted_once(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    convert(tiny_run, tmp_path / "faces.pkl", to="nvidia")
    pictures = limner.load(tmp_path / "faces.pkl", "cpu").sample([1])
    assert pictures[0].tobytes() == limner.load(tiny_run, "cpu").sample([1])[0].tobytes()
    (kept,) = (tmp_path / "cache" / "limner" / "converted").iterdir()
    before = (kept / "config.json").stat().st_mtime_ns
    paths = generate(tmp_path / "faces.pkl", tmp_path / "out", seeds="1", device="cpu")
    with Image.open(paths[0]) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(pictures[0]))
    assert (kept / "config.json").stat().st_mtime_ns == before


def test_a_dangerous_file_is_refused_where_a_checkpoint_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.")
    with pytest.raises(CheckpointError, match=r"asks for os\.system"):
        limner.load(tmp_path / "x.pkl")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pkl"]


def test_one_file_a_seed_and_a_sheet(tiny_run: Path, tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    out = tmp_path / "deep" / "faces"
    paths = generate(
        tiny_run,
        out,
        seeds="0-1,12345",
        truncation_psi=0.7,
        grid=True,
        command="limner generate",
        progress=lambda *c: counts.append(c),
    )
    assert [path.name for path in paths] == ["seed0000.png", "seed0001.png", "seed12345.png", "grid.png"]
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert (out / "command.txt").read_text() == "limner generate\n"
    expected = limner.load(tiny_run).sample([12345], truncation_psi=0.7)[0]
    with Image.open(paths[2]) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(expected))
    with Image.open(paths[3]) as sheet:
        assert sheet.width * sheet.height >= 3 * 16 * 16


def test_without_a_sheet_or_a_command_there_are_pictures_alone(tiny_run: Path, tmp_path: Path) -> None:
    generate(tiny_run, tmp_path, seeds=[4])
    assert [path.name for path in tmp_path.iterdir()] == ["seed0004.png"]


def test_a_picture_does_not_depend_on_the_others(tiny_run: Path, tmp_path: Path) -> None:
    generate(tiny_run, tmp_path / "many", seeds="3-6", noise_mode="random")
    generate(tiny_run, tmp_path / "one", seeds="5", noise_mode="random")
    assert (tmp_path / "many/seed0005.png").read_bytes() == (tmp_path / "one/seed0005.png").read_bytes()


def test_a_conditional_network_makes_the_class_it_is_asked_for(conditional_run: Path, tmp_path: Path) -> None:
    for label in (0, 1):
        generate(conditional_run, tmp_path / str(label), seeds="1", label=label)
    assert (tmp_path / "0/seed0001.png").read_bytes() != (tmp_path / "1/seed0001.png").read_bytes()


def test_no_seeds_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seeds: got none"):
        generate(tiny_run, tmp_path, seeds=[])


def test_a_missing_checkpoint_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        generate(tmp_path / "nothing", tmp_path / "out", seeds="1")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_named(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("here already")
    with pytest.raises(LimnerError, match=r"cannot write '.*seed0001.png'"):
        generate(tiny_run, tmp_path / "out", seeds="1")


@pytest.mark.parametrize(("text", "label"), [("3", 3), ("0,1,0.5", [0.0, 1.0, 0.5]), ("-1", -1)])
def test_labels_are_numbers_or_vectors(text: str, label: object) -> None:
    assert parse_label(text) == label


@pytest.mark.parametrize("text", ["cat", "1,x", "", "1.5"])
def test_other_labels_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"label: got '{text}'"):
        parse_label(text)
