"""`limner mix` and `style-mixing`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command


def test_a_sheet_is_written_and_its_layers_are_told(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "mix.png"
    answer = command("mix", tiny_run, "--rows", "1,2", "--cols", "3-5", "--layers", "coarse", "--out", sheet)
    assert (answer.code, answer.out) == (0, f"{sheet}: layers 0, 1 of the rows are taken from the columns\n")
    assert sheet.is_file()


def test_nvidias_words_write_every_picture(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    words = [f"--network={tiny_run}", "--rows=85", "--cols=55,821", "--styles=0-3", f"--outdir={tmp_path / 'out'}"]
    assert command("style-mixing", *words).code == 0
    names = {"85-85.png", "55-55.png", "821-821.png", "85-55.png", "85-821.png", "grid.png", "command.txt"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
