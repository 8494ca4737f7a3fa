"""Attribution: calibrating, going on with a calibration, and asking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import write_pictures
from limner.api import load
from limner.api.attributing import AttributeRequest, attribute, calibrate_attribution
from limner.errors import CheckpointError, ConfigError, DataError

REQUEST = AttributeRequest(steps=20, perceptual="none", batch=4)


def test_a_generators_pictures_are_told_from_noise(tiny_run: Path, tmp_path: Path) -> None:
    """Random pixels are no picture of the generator: the two sets of distances do not overlap."""
    photos = write_pictures(tmp_path / "photos", 6)
    made = calibrate_attribution(
        tiny_run, [photos], tmp_path / "reference.json", REQUEST, num=6, device="cpu", command="limner attribute"
    )
    assert (made.num_generated, made.num_real) == (6, 6)
    record = json.loads(made.path.read_text())
    assert record["estimates"]["auc"]["value"] == made.estimates["auc"].value
    assert made.estimates["auc"].value == 1.0
    load(tiny_run, "cpu").sample([77])[0].save(tmp_path / "own.png")
    farthest = max(record["real"], key=record["real"].get)
    own, foreign = attribute(
        tiny_run,
        [tmp_path / "own.png", photos / f"{farthest}.png"],
        REQUEST,
        reference=made.path,
        device="cpu",
    )
    assert (own.is_generated, foreign.is_generated) == (True, False)
    assert own.distance < foreign.distance
    assert foreign.p_generated == 1 / 7


def test_running_again_does_what_is_left(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    path = tmp_path / "reference.json"
    first = calibrate_attribution(tiny_run, [photos], path, REQUEST, num=2, device="cpu")
    record = json.loads(path.read_text())
    told: list[tuple[int, int]] = []
    second = calibrate_attribution(
        tiny_run, [photos], path, REQUEST, num=3, device="cpu", progress=lambda *c: told.append(c)
    )
    again = json.loads(path.read_text())
    assert {name: again["real"][name] for name in record["real"]} == record["real"]
    assert (first.num_real, second.num_real) == (2, 3)
    assert told[-1] == (2 * 21, 2 * 21)


def test_without_a_reference_distances_stand_alone(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    found = attribute(tiny_run, [photos], REQUEST, device="cpu")
    assert [answer.name for answer in found] == ["000", "001"]
    assert all(answer.is_generated is None and answer.p_generated is None for answer in found)


def test_references_that_do_not_compare_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    path = calibrate_attribution(tiny_run, [photos], tmp_path / "a.json", REQUEST, num=2, device="cpu").path
    other = AttributeRequest(steps=5, perceptual="none")
    with pytest.raises(CheckpointError, match="has steps 20, expected 5"):
        attribute(tiny_run, [photos], other, reference=path, device="cpu")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(CheckpointError, match="is no reference of format 1"):
        attribute(tiny_run, [photos], REQUEST, reference=tmp_path / "b.json", device="cpu")
    with pytest.raises(CheckpointError, match="cannot be read"):
        attribute(tiny_run, [photos], REQUEST, reference=tmp_path / "c.json", device="cpu")


def test_pictures_that_cannot_be_used_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 1)
    with pytest.raises(ConfigError, match="got 1 generated and 1 real pictures, expected at least 2"):
        calibrate_attribution(tiny_run, [photos], tmp_path / "a.json", REQUEST, num=1, device="cpu")
    (photos / "bad.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"bad\.png' cannot be read"):
        attribute(tiny_run, [photos], REQUEST, device="cpu")
