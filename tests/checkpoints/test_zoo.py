"""Published checkpoints: listed, downloaded from a server that breaks and lies, trusted on first use, used offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from features.breaking_server import Server, serving
from limner import registry
from limner.checkpoints import io, official, zoo
from limner.checkpoints.networks import load_generator
from limner.errors import CheckpointError, ConfigError
from limner.features import download as downloading
from papers.stylegan2.published_maps_community import rosinality_generator

NAME = "afhqcat-512"


def checkpoint(folder: Path, seed: int) -> bytes:
    """The content of a small file with a StyleGAN2 generator; the program it is of does not matter to the zoo."""
    content = {"g_ema": rosinality_generator(seed), "latent_avg": torch.zeros(7)}
    return write_torch(folder / f"{seed}.pt", content).read_bytes()


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return checkpoint(tmp_path, 0)


@pytest.fixture
def server(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serving(content, monkeypatch) as running:
        monkeypatch.setenv(zoo.ENVIRONMENT, running.url.removesuffix("/weights.pth"))
        yield running


def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no network from here on."""
    monkeypatch.setenv(zoo.ENVIRONMENT, "http://127.0.0.1:1")
    monkeypatch.setattr(downloading, "ATTEMPTS", 1)


def test_a_published_checkpoint_is_downloaded_once_and_then_used_offline(
    server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = load_generator(NAME).sample([3])
    assert zoo.place(NAME).read_bytes() == content
    assert set(server.behaviour.paths) == {"/stylegan2-ada-pytorch/pretrained/afhqcat.pkl"}
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"downloading {NAME}, 0 MB, from http://127.0.0.1")
    assert second == "licence of these weights: NVIDIA Source Code License (non-commercial)"
    cut_off(monkeypatch)
    assert load_generator(NAME).sample([3])[0].tobytes() == pictures[0].tobytes()
    assert capsys.readouterr().err == ""
    assert len(server.behaviour.starts) == 1


def test_size_and_checksum_are_recorded_on_first_use(server: Server, content: bytes) -> None:
    path = zoo.fetch(NAME)
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == official.checksum(path)
    assert record["num_bytes"] == len(content)
    assert record["url"].startswith("http://127.0.0.1")


def test_a_broken_download_goes_on_where_it_stopped(server: Server, content: bytes) -> None:
    part = zoo.place(NAME).with_name(f"{NAME}.pkl.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(content[:5000])
    server.behaviour.cut = 20_000
    assert zoo.fetch(NAME).read_bytes() == content
    assert server.behaviour.starts == list(range(5000, len(content), 20_000))


def test_a_silent_server_is_given_up(server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "TIMEOUT_SEC", 0.2)
    monkeypatch.setattr(downloading, "ATTEMPTS", 1)
    server.behaviour.cut, server.behaviour.stall_sec = 0, 0.5
    with pytest.raises(CheckpointError, match=rf"{NAME}: .*got 0 of {len(content)} bytes \(timed out\); call again"):
        zoo.fetch(NAME)
    assert not zoo.place(NAME).exists()


def test_a_page_in_place_of_a_checkpoint_is_not_kept(server: Server) -> None:
    server.behaviour.content = b"<html>quota exceeded</html>"
    with pytest.raises(CheckpointError, match=r"is no checkpoint.* it is not afhqcat\.pkl of http://127"):
        zoo.fetch(NAME)
    assert list(zoo.place(NAME).parent.iterdir()) == []


def test_a_truncated_file_is_not_kept(server: Server, content: bytes) -> None:
    server.behaviour.content = content[: len(content) // 2]
    with pytest.raises(CheckpointError, match=r"it is not afhqcat\.pkl"):
        zoo.fetch(NAME)
    assert not zoo.place(NAME).exists()


def test_networks_of_another_paper_are_not_kept(server: Server) -> None:
    with pytest.raises(CheckpointError, match=r"holds stylegan2 of rosinality .*, expected networks of stylegan;"):
        zoo.fetch("stylegan2-cat-config-a")
    assert not zoo.place("stylegan2-cat-config-a").exists()


def test_another_file_than_the_first_is_refused_on_disk_and_from_the_server(
    server: Server, content: bytes, tmp_path: Path
) -> None:
    path, other = zoo.fetch(NAME), checkpoint(tmp_path, 1)
    path.write_bytes(other)
    with pytest.raises(CheckpointError, match=f"has sha256 .*, expected {official.checksum(tmp_path / '0.pt')}"):
        zoo.fetch(NAME)
    path.unlink()
    assert len(other) == len(content)
    server.behaviour.content = other
    with pytest.raises(CheckpointError, match=f"{NAME}: .*got a file with sha256 .*it was dropped"):
        zoo.fetch(NAME)
    assert not path.exists()
    server.behaviour.content = content
    assert zoo.fetch(NAME) == path


def test_a_damaged_record_is_said(server: Server) -> None:
    zoo.fetch(NAME).with_suffix(".json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"afhqcat-512\.json' is damaged, .*remove it to trust anew"):
        zoo.fetch(NAME)


def test_a_refusal_of_the_server_is_said_in_one_sentence(server: Server) -> None:
    server.behaviour.statuses = [404]
    with pytest.raises(CheckpointError, match=f"^{NAME}: .* answered 404 .*pkl'\\)$"):
        zoo.fetch(NAME)


def test_what_is_on_google_drive_is_fetched_by_hand(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "celebahq-1024-stylegan"
    with pytest.raises(CheckpointError, match=r"by hand: get it from https://drive\.google\.com/uc\?id=.* save it as"):
        zoo.fetch(name)
    assert server.behaviour.paths == []
    zoo.place(name).parent.mkdir(parents=True)
    zoo.place(name).write_bytes(checkpoint(tmp_path, 0))
    with pytest.raises(CheckpointError, match="expected networks of stylegan; it is not karras2019stylegan"):
        zoo.fetch(name)
    assert zoo.place(name).exists()  # a person put it there


def test_a_folder_of_that_name_comes_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"'{NAME}' holds no snapshot"):
        io.find_snapshot(NAME)
    assert server.behaviour.paths == []


def test_a_name_that_is_none_gets_the_closest(server: Server) -> None:
    with pytest.raises(ConfigError, match=r"zoo: got 'ffhq-1042'.*Did you mean 'ffhq-1024'"):
        zoo.fetch("ffhq-1042")
    with pytest.raises(CheckpointError, match=r"or the name in 'limner zoo'\. Did you mean 'ffhq-1024'"):
        io.find_snapshot("ffhq-1042")


def test_a_mirror_has_to_be_an_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(zoo.ENVIRONMENT, "/srv/mirror")
    with pytest.raises(ConfigError, match="LIMNER_ZOO: got '/srv/mirror', expected an address"):
        zoo.fetch(NAME)


def test_every_entry_has_one_name_an_address_and_a_room() -> None:
    entries = [*zoo._ada(), *zoo._stylegan2(), *zoo._ngc(), *zoo._stylegan(), *zoo._progan()]
    assert len(zoo.published()) == len(entries)
    for entry in entries:
        assert re.fullmatch(r"[A-Za-z0-9-]+", entry.name)
        assert urlsplit(entry.url).scheme == "https"
        assert entry.is_by_hand or entry.url.endswith(f"/{entry.file}")
        assert entry.file.endswith(".pkl")
        assert entry.room in registry.names("papers")
        assert "non-commercial" in entry.licence
    addresses = [entry.url for entry in entries if not entry.is_by_hand]
    assert len(set(addresses)) == len(addresses)


def test_the_published_tables_are_complete() -> None:
    names = zoo.published()
    assert sum(name.startswith("stylegan2-") and "-config-" in name for name in names) == 18 + 18
    assert sum(name.endswith("-progan") for name in names) == 1 + 30
    assert sum(name.endswith("-stylegan") for name in names) == 5
