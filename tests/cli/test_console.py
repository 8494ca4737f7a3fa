"""Notices, progress and the command line as text."""

from __future__ import annotations

import sys

import pytest

from limner.cli.console import command_line, notice, progress_bar


def test_notices_go_to_standard_error_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    notice("said")
    notice("not said", quiet=True)
    assert capsys.readouterr() == ("", "said\n")


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("pictures") as report:
        report(1, 2)
        report(2, 2)
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("pictures") as report:
        report(3, 3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "pictures" in shown.err
    assert "3/3" in shown.err


def test_the_command_line_can_be_pasted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/limner", "generate", "my run", "--seeds=0-3"])
    assert command_line() == "limner generate 'my run' --seeds=0-3"
