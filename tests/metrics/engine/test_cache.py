"""Statistics kept on disk."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from limner.metrics.engine import cache
from limner.metrics.engine.cache import collect_kept, entry_name
from limner.metrics.engine.collecting import Team
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.engine.statistics import FeatureBank, Moments
from limner.metrics.swd import Patches

MOMENTS = Moments(count=20, extractor="inception", output="pool")
BANK = FeatureBank(count=20, extractor="inception", output="pool")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_pictures_seen_once_are_not_looked_at_again(make_dataset, networks, tmp_path):
    first, second = make_dataset(20, (16, 16)), make_dataset(20, (16, 16))
    states = collect_kept(DatasetPictures(first), [MOMENTS, BANK], networks, Team(), tmp_path / "new")
    again = collect_kept(DatasetPictures(second), [MOMENTS, BANK], networks, Team(), tmp_path / "new")
    assert all(same(states[s], again[s]) for s in (MOMENTS, BANK))
    assert len(first.asked) == 20
    assert second.asked == []
    assert networks.get("inception").seen == 20


def test_only_what_is_missing_is_collected(make_dataset, networks, tmp_path):
    dataset = make_dataset(20, (16, 16))
    collect_kept(DatasetPictures(dataset), [MOMENTS], networks, Team(), tmp_path)
    heard = []
    states = collect_kept(DatasetPictures(dataset), [MOMENTS, BANK], networks, Team(advance=heard.append), tmp_path)
    assert set(states) == {MOMENTS, BANK}
    assert sum(heard) == 20
    assert networks.get("inception").seen == 40


def test_without_a_folder_nothing_is_kept(make_dataset, networks):
    dataset = make_dataset(20, (16, 16))
    for _ in range(2):
        collect_kept(DatasetPictures(dataset), [MOMENTS], networks, Team(), None)
    assert len(dataset.asked) == 40


def test_what_decides_a_state_decides_its_name(make_dataset, make_generator, networks):
    source = DatasetPictures(make_dataset(30, (16, 16)))
    name = entry_name(MOMENTS, source, networks)
    assert name == entry_name(MOMENTS, source, networks)
    others = [
        entry_name(Moments(count=21, extractor="inception", output="pool"), source, networks),
        entry_name(Moments(count=20, extractor="inception", output="fc"), source, networks),
        entry_name(BANK, source, networks),
        entry_name(MOMENTS, DatasetPictures(make_dataset(31, (16, 16))), networks),
        entry_name(MOMENTS, DatasetPictures(source.dataset, seed=1), networks),
        entry_name(MOMENTS, DatasetPictures(source.dataset, mirror=True), networks),
    ]
    networks.get("inception").sha256 = "other weights"
    others.append(entry_name(MOMENTS, source, networks))
    networks.get("inception").resize = "other filter"
    others.append(entry_name(MOMENTS, source, networks))
    assert len({name, *others}) == len(others) + 1


def test_generators_and_what_is_quickly_made_are_not_kept(make_dataset, make_generator, networks):
    assert entry_name(MOMENTS, GeneratorPictures(make_generator((16, 16))), networks) is None
    assert entry_name(Patches(count=20, side=0), DatasetPictures(make_dataset(20, (16, 16))), networks) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_file_is_made_again_with_a_warning(make_dataset, networks, tmp_path, damage):
    source = DatasetPictures(make_dataset(20, (16, 16)))
    states = collect_kept(source, [MOMENTS], networks, Team(), tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    flipped = content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]
    path.write_bytes({"cut": content[:-9], "flip": flipped, "empty": b"", "foreign": b"PK" + content}[damage])
    with pytest.warns(UserWarning, match=r"damaged .*; they are made again"):
        again = collect_kept(source, [MOMENTS], networks, Team(), tmp_path)
    torch.testing.assert_close(again[MOMENTS], states[MOMENTS])
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_costs_no_result(make_dataset, networks, tmp_path):
    (tmp_path / "file").write_text("here already")
    source = DatasetPictures(make_dataset(20, (16, 16)))
    with pytest.warns(UserWarning, match="cannot be kept in .*--cache names another folder"):
        states = collect_kept(source, [MOMENTS], networks, Team(), tmp_path / "file")
    assert states[MOMENTS]["count"] == 20


def test_two_writers_of_one_file_leave_one_of_theirs(make_dataset, networks, tmp_path, monkeypatch):
    """The second begins while the first is writing: each writes a file of its own and moves it into place."""
    states = [{"a": torch.full((1000,), float(i))} for i in range(2)]
    replace = cache.atomic_file.__globals__["os"].replace

    def interrupted(source, target):
        monkeypatch.setattr(cache.atomic_file.__globals__["os"], "replace", replace)
        with monkeypatch.context() as patch:
            patch.setattr(cache.atomic_file.__globals__["os"], "getpid", lambda: 1)
            cache.write(target, states[1])
        replace(source, target)

    monkeypatch.setattr(cache.atomic_file.__globals__["os"], "replace", interrupted)
    cache.write(tmp_path / "a.safetensors", states[0])
    assert same(cache.read(tmp_path / "a.safetensors"), states[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_usual_folder_is_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp/somewhere")
    assert cache.default_folder() == Path("/tmp/somewhere/limner/metrics")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache.default_folder() == Path("/home/someone/.cache/limner/metrics")


def test_an_absent_file_is_no_cause_for_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.read(tmp_path / "nothing.safetensors") == {}
