"""`limner convert`."""

from __future__ import annotations

import re
from pathlib import Path

from checkpoints.official.foreign_files import write_torch
from cli.conftest import Command
from papers.stylegan2.published_maps_community import rosinality_generator


def test_a_foreign_file_becomes_a_snapshot_and_its_licence_is_said(command: Command, tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"g_ema": rosinality_generator(0)})
    answer = command("convert", path, tmp_path / "ours")
    assert answer.code == 0
    assert answer.out == f"stylegan2 of rosinality (g_ema) -> {tmp_path / 'ours'}\n"
    note, licence = answer.err.splitlines()
    assert note == "note: the file has no average of w: it was taken over 10,000 latents"
    assert licence.startswith("licence of these weights: that of its publisher")
    assert command("generate", tmp_path / "ours", "--seeds", 1, "--out", tmp_path / "pictures").code == 0


def test_a_snapshot_is_written_for_another_program(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    answer = command("convert", tiny_run, tmp_path / "x.pkl", "--to", "nvidia")
    assert (answer.code, answer.out) == (0, f"snapshot of limner -> {tmp_path / 'x.pkl'}\n")
    answer = command("convert", f"--source={tmp_path / 'x.pkl'}", f"--dest={tmp_path / 'again'}", "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_graph_is_written_and_its_difference_from_torch_said(
    command: Command, tiny_run: Path, tmp_path: Path
) -> None:
    answer = command("convert", tiny_run, tmp_path / "x.pt2", "--to", "torch-export", "--batch", 1)
    assert (answer.code, answer.out) == (0, f"generator -> {tmp_path / 'x.pt2'}\n")
    assert re.fullmatch(r"note: largest difference from torch \S+, in pictures of up to \d+\.\d\d\n", answer.err)


def test_a_dangerous_file_is_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.")
    answer = command("convert", tmp_path / "x.pkl", tmp_path / "out")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert "asks for os.system" in answer.err
