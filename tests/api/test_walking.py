"""Closed walks, as animations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import limner
from conftest import write_pictures
from limner.api import interpolate
from limner.api.inverting import InvertRequest, invert
from limner.errors import CheckpointError, ConfigError


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as animation:
        pictures = []
        for number in range(animation.n_frames):  # type: ignore[attr-defined]
            animation.seek(number)
            pictures.append(np.asarray(animation.convert("RGB")))
    return pictures


@pytest.mark.parametrize(("space", "mode"), [("w", None), ("w", "lerp"), ("z", None), ("z", "slerp"), ("z", "cubic")])
def test_a_walk_meets_every_seed_and_returns(tiny_run: Path, tmp_path: Path, space: Any, mode: Any) -> None:
    counts: list[tuple[int, int]] = []
    path, remark = interpolate(
        tiny_run,
        tmp_path / "walk.apng",
        seeds="1,2,3",
        space=space,
        mode=mode,
        frames=4,
        progress=lambda *c: counts.append(c),
    )
    assert (path, remark) == (tmp_path / "walk.apng", None)
    assert counts == [(done, 12) for done in range(1, 13)]
    shown = frames(path)
    assert len(shown) == 12
    for number, source in zip((0, 4, 8), limner.load(tiny_run).sample([1, 2, 3]), strict=True):
        assert np.array_equal(shown[number], np.asarray(source))
    steps, leaps = distances(shown), distances(shown[::4])
    assert min(steps) > 0
    assert np.mean(steps) < np.mean(leaps)


def distances(pictures: list[np.ndarray]) -> list[float]:
    """Mean differences between one picture and the next, around the loop."""
    following = [*pictures[1:], pictures[0]]
    return [float(np.abs(a.astype(float) - b).mean()) for a, b in zip(pictures, following, strict=True)]


def test_truncation_shortens_the_walk_in_either_space(tiny_run: Path, tmp_path: Path) -> None:
    for space in ("w", "z"):
        path, _ = interpolate(
            tiny_run,
            tmp_path / "still.apng",
            seeds=[1, 2],
            space=space,
            frames=2,
            truncation_psi=0.0,  # type: ignore[arg-type]
        )
        first, *others = frames(path)
        assert all(np.array_equal(first, other) for other in others)


def test_random_noise_changes_from_frame_to_frame_alone(tiny_run: Path, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"seeds": [1, 2], "frames": 2, "truncation_psi": 0.0, "noise_mode": "random"}
    once, _ = interpolate(tiny_run, tmp_path / "once.apng", **arguments)
    again, _ = interpolate(tiny_run, tmp_path / "again.apng", **arguments)
    first, second, *_ = frames(once)
    assert not np.array_equal(first, second)
    assert once.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_every_format_is_written(tiny_run: Path, tmp_path: Path, ending: str) -> None:
    path, _ = interpolate(tiny_run, tmp_path / f"walk.{ending}", seeds="1,2", frames=3, fps=10)
    assert path.stat().st_size > 100


def test_a_conditional_network_walks_within_a_class(conditional_run: Path, tmp_path: Path) -> None:
    path, _ = interpolate(conditional_run, tmp_path / "walk.apng", seeds="1,2", space="z", frames=1, label=2)
    assert np.array_equal(frames(path)[1], np.asarray(limner.load(conditional_run).sample([2], label=2)[0]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": "1"}, "got 1 alone, expected at least two"),
        ({"space": "w+"}, r"space: got 'w\+', expected w or z"),
        ({"mode": "slurp"}, "mode 'slurp'.* Did you mean 'slerp'"),
        ({"frames": 0}, "got 0 frames"),
        ({"fps": 0}, "got 0 frames a second"),
        ({"noise_mode": "rand"}, "noise mode: got 'rand'"),
        ({"label": 0}, "unconditional"),
    ],
)
def test_what_makes_no_sense_is_refused(tiny_run: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        interpolate(tiny_run, tmp_path / "walk.gif", **{"seeds": "1,2", **changes})
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got ending '.avi', expected one of .mp4"):
        interpolate(tiny_run, tmp_path / "walk.avi", seeds="1,2")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        interpolate(tmp_path / "nothing", tmp_path / "walk.gif", seeds="1,2")


def test_a_sheet_shows_the_way_from_each_picture_to_the_next(tiny_run: Path, tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    path, remark = interpolate(
        tiny_run, tmp_path / "walk.png", seeds="1,2,3", mode="lerp", progress=lambda *c: counts.append(c)
    )
    assert remark is None
    assert counts[-1] == (18, 18)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    first, second, third = (np.asarray(picture) for picture in limner.load(tiny_run).sample([1, 2, 3]))
    half = pixels.shape[0] // 2
    assert np.array_equal(pixels[half - 16 : half, :16], first)
    assert np.array_equal(pixels[half - 16 : half, -16:], second)
    assert np.array_equal(pixels[-16:, :16], second)
    assert np.array_equal(pixels[-16:, -16:], third)


def test_codes_are_walked_between_with_their_noise_maps(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    request = InvertRequest(method="project", settings={"steps": 2}, perceptual="none")
    inverted = invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu")
    path, _ = interpolate(tiny_run, tmp_path / "walk.apng", codes=inverted.folder, frames=3)
    shown = frames(path)
    assert len(shown) == 6
    for number, name in ((0, "000"), (3, "001")):
        with Image.open(inverted.folder / "reconstructions" / f"{name}.png") as made:
            assert np.abs(shown[number].astype(int) - np.asarray(made)).max() <= 1


def test_codes_that_there_is_no_way_between_are_refused(tiny_run: Path, conditional_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    settings = {"pivot_steps": 1, "steps": 1, "stop": 0.0}
    request = InvertRequest(method="pti", settings=settings, perceptual="none")
    inverted = invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu").folder
    with pytest.raises(ConfigError, match="'000' was found with weights of its own"):
        interpolate(tiny_run, tmp_path / "walk.gif", codes=inverted)
    with pytest.raises(CheckpointError, match="holds codes of generator"):
        interpolate(conditional_run, tmp_path / "walk.gif", codes=inverted, label=0)
    with pytest.raises(ConfigError, match="either seeds or codes, got both or neither"):
        interpolate(tiny_run, tmp_path / "walk.gif")
    with pytest.raises(ConfigError, match="space: got 'z', expected w, where codes are"):
        interpolate(tiny_run, tmp_path / "walk.gif", codes=inverted, space="z")
