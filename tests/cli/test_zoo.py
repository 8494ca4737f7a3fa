"""`limner zoo`, and names of published checkpoints where a checkpoint is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from cli.conftest import Command
from features.breaking_server import serving
from limner.checkpoints import embedded, zoo
from papers.stylegan2.published_maps_community import rosinality_generator


def test_checkpoints_are_listed_with_room_size_licence_and_address(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    answer = command("zoo", "progan celebahq")
    assert answer.code == 0
    heading, line = answer.out.splitlines()
    assert heading.split() == ["name", "room", "pixels", "what", "it", "shows", "licence", "address"]
    assert line.split()[:3] == ["celebahq-1024-progan", "progan", "1024"]
    assert "Creative Commons BY-NC 4.0 (non-commercial)" in line
    assert "by hand: https://drive.google.com/uc?id=" in line
    listed = command("zoo").out.splitlines()
    assert len(listed) == 1 + len(embedded.MODELS) + len(zoo.published())
    assert listed[1].split()[:3] == ["avatars", "stylegan2", "64"]
    assert listed[1].rstrip().endswith("here: in the package")


def test_a_name_is_fetched_and_then_generated_from(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write_torch(tmp_path / "x.pt", {"g_ema": rosinality_generator(0), "latent_avg": torch.zeros(7)})
    with serving(file.read_bytes(), monkeypatch) as server:
        monkeypatch.setenv(zoo.ENVIRONMENT, server.url.removesuffix("/weights.pth"))
        answer = command("zoo", "--fetch", "afhqdog-512")
    assert answer.code == 0
    assert answer.out.startswith(f"afhqdog-512 -> {tmp_path / 'cache' / 'limner' / 'converted'}")
    assert answer.err.count("licence of these weights: ") == 1
    answer = command("generate", "afhqdog-512", "--seeds", 1, "--out", tmp_path / "pictures", "-q")
    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / "pictures" / "seed0001.png").is_file()
    assert "here: https://" in command("zoo", "afhqdog-512").out


def test_an_unknown_name_is_one_sentence(command: Command) -> None:
    answer = command("zoo", "--fetch", "ffhq-1025")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "Did you mean 'ffhq-1024'?" in answer.err
