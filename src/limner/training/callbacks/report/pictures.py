"""The pictures of a report: chosen, reduced to a budget of bytes, and encoded as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from limner.images import on_white
from limner.training.callbacks.samples import FOLDER, grid_paths

NEWEST_BYTES, TIMELINE_BYTES, OTHER_BYTES = 600_000, 800_000, 200_000
"""Largest size of the newest grid, of all earlier grids together, and of each other picture, before base64 adds 1/3."""
TIMELINE_GRIDS = 24
"""Most earlier grids shown, evenly spread over the run."""
REDUCTIONS = ((1.0, 92), (1.0, 80), (0.75, 80), (0.5, 80), (0.375, 75), (0.25, 70), (0.125, 70))
"""(scale, JPEG quality) tried in turn until a picture fits its budget; the last is taken in any case."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One encoded picture."""

    caption: str
    uri: str
    """`data:` URI."""
    width: int
    """Of the picture on disk, pixels."""
    height: int


@dataclass(frozen=True, kw_only=True)
class Album:
    """The pictures of a report; what the run has not written is absent."""

    timeline: tuple[Picture, ...]
    """Sample grids in the order of their kimg; the last is the newest and the least reduced."""
    others: tuple[Picture, ...]
    """Before and after, real pictures, augmented ones."""


def gather(run_dir: Path, kimg: float) -> Album:
    """Encode the pictures of a run up to `kimg`."""
    grids = [path for path in grid_paths(run_dir) if float(path.stem) <= kimg]
    shown = _spread(grids[:-1], TIMELINE_GRIDS)
    timeline = [encode(path, TIMELINE_BYTES // len(shown), _kimg_caption(path)) for path in shown]
    timeline += [encode(path, NEWEST_BYTES, _kimg_caption(path)) for path in grids[-1:]]
    named = (("before_after", "Before and after"), ("reals", "Real pictures"), ("augmented", "Augmented real pictures"))
    paths = [(run_dir / FOLDER / f"{name}.png", caption) for name, caption in named]
    others = [encode(path, OTHER_BYTES, caption) for path, caption in paths if path.exists()]
    return Album(timeline=tuple(timeline), others=tuple(others))


def encode(path: Path, budget: int, caption: str) -> Picture:
    """Return the picture in `path` as it is if it fits `budget` bytes, else as the best JPEG that does, on white."""
    with Image.open(path) as opened:
        width, height = opened.size
        content, kind = path.read_bytes(), "png"
        if len(content) > budget:
            content, kind = _reduced(on_white(opened), budget), "jpeg"
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Picture(caption=caption, uri=uri, width=width, height=height)


def _reduced(picture: Image.Image, budget: int) -> bytes:
    content = b""
    for scale, quality in REDUCTIONS:
        size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
        smaller = picture if scale == 1 else picture.resize(size, Image.Resampling.LANCZOS)
        encoded = io.BytesIO()
        smaller.save(encoded, "JPEG", quality=quality, optimize=True)
        content = encoded.getvalue()
        if len(content) <= budget:
            break
    return content


def _spread(paths: list[Path], count: int) -> list[Path]:
    """Return at most `count` of `paths`, evenly spread, the first and the last among them."""
    if len(paths) <= count:
        return paths
    return [paths[round(i * (len(paths) - 1) / (count - 1))] for i in range(count)]


def _kimg_caption(path: Path) -> str:
    return f"{float(path.stem):g} kimg"
