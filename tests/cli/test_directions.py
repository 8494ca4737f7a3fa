"""`limner directions`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Command


def test_directions_are_written_and_measured(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    answer = command("directions", "pca", tiny_run, "--count", 2, "--out", tmp_path)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[1].startswith(f"{tmp_path / 'pca-1.safetensors'}: w, explained 0.")
    answer = command("directions", "sefa", tiny_run, "--layers", "coarse", "--count", 1, "--out", tmp_path)
    assert answer.out.startswith(f"{tmp_path / 'sefa-0.safetensors'}: w, eigenvalue ")


def test_a_boundary_is_imported(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "age.npy", np.ones((1, 16)))
    answer = command("directions", "import", tiny_run, tmp_path / "age.npy", "--name", "older", "--out", tmp_path)
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'older.safetensors'}: w\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pac", "RUN"], "ConfigError: directions: got 'pac', expected one of fit, sefa, pca"),
        (["import", "RUN"], "ConfigError: directions import: got no boundary"),
        (["fit", "RUN"], "ConfigError: attributes: expected either a classifier"),
        (["channels", "RUN", "--inverted", "x"], "ConfigError: labels: got none for the inverted pictures"),
        (["sefa", "RUN", "--layers", "99"], "ConfigError: layers: got 99, expected 0 to 5"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], message: str, command: Command, tiny_run: Path) -> None:
    answer = command("directions", *(tiny_run if word == "RUN" else word for word in words))
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err.splitlines()[-1]
