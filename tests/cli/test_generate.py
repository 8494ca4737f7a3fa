"""`limner generate` and `gen-images`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command
from limner.api import load
from limner.latents import Latents


def test_pictures_and_a_sheet_are_written_and_counted(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    answer = command("generate", tiny_run, "--seeds", "0-2", "--trunc", "0.7", "--cutoff", 2, "--grid", "--out", out)
    assert answer.code == 0
    assert answer.out == f"3 pictures in {out}, sheet {out / 'grid.png'}\n"
    assert answer.err == "allocator left alone by the tests\n"
    assert f"generate {tiny_run} --seeds 0-2 --trunc 0.7" in (out / "command.txt").read_text()


def test_nvidias_words_give_the_same_pictures(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    command("generate", tiny_run, "--seeds", "1,3", "--trunc", 0.5, "--noise", "random", "--out", tmp_path / "ours")
    words = [
        f"--network={tiny_run}",
        "--seeds=1,3",
        "--trunc=0.5",
        "--noise-mode=random",
        f"--outdir={tmp_path / 'theirs'}",
    ]
    assert command("gen-images", *words).code == 0
    for name in ("seed0001.png", "seed0003.png"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


def test_quiet_prints_nothing(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    answer = command("generate", tiny_run, "--seeds", 1, "--out", tmp_path, "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_class_is_a_number_or_a_vector(command: Command, conditional_run: Path, tmp_path: Path) -> None:
    for name, label in (("number", "1"), ("vector", "0,1,0")):
        assert command("generate", conditional_run, "--seeds", 1, "--class", label, "--out", tmp_path / name).code == 0
    pictures = [(tmp_path / name / "seed0001.png").read_bytes() for name in ("number", "vector")]
    assert pictures[0] == pictures[1]


def test_a_negative_truncation_is_a_number_not_a_flag(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    assert command("generate", tiny_run, "--seeds", 1, "--trunc", "-0.5", "--out", tmp_path).code == 0


def test_codes_are_drawn_and_what_is_for_seeds_is_refused_with_them(
    command: Command, tiny_run: Path, tmp_path: Path
) -> None:
    file = Latents("w+", load(tiny_run, "cpu").seed_to_ws(7)).save(tmp_path / "codes.safetensors")
    answer = command("generate", tiny_run, "--codes", file, "--out", tmp_path / "out", "--grid")
    assert answer.code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["codes-0.png", "grid.png"]
    for words in (("--trunc", 0.5), ("--seeds", 1), ("--noise", "random")):
        answer = command("generate", tiny_run, "--codes", file, "--out", tmp_path / "out", *words)
        assert answer.code == 1
        assert "which are for seeds; leave them out" in answer.err
