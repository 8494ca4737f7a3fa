"""Pictures out of tensors, sheets of pictures, and picture and animation files.

Conventions: tensors are [N, C, H, W] in [-1, 1]; a value x becomes the byte clamp(127.5 x + 128, 0, 255), truncated,
which is the field's convention and the inverse of reading a byte b as b / 127.5 - 1. Channels 1, 2, 3, 4 are grey,
grey + alpha, RGB, RGBA.
"""

from __future__ import annotations

import io
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from limner.errors import ConfigError, LimnerError, ShapeError, closest
from limner.runtime import atomic_file

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Channels of a picture -> Pillow's mode."""

ANIMATIONS = (".mp4", ".gif", ".webp", ".apng")
"""Endings `write_animation` knows."""

SHEET_ASPECT = 4 / 3
"""Width over height that `grid` aims for when it chooses the columns."""


def to_uint8(images: Tensor) -> np.ndarray:
    """Return images [N, C, H, W] float in [-1, 1] as bytes [N, H, W, C].

    Raises:
        ShapeError: not four axes.
    """
    if images.ndim != 4:
        raise ShapeError(f"pictures: got a tensor of {list(images.shape)}, expected [N, C, H, W]")
    pixels = (images.detach().float() * 127.5 + 128).clamp(0, 255).byte()
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())  # [N, H, W, C]


def to_pil(images: Tensor) -> list[Image.Image]:
    """Return images [N, C, H, W] float in [-1, 1] as N pictures.

    Raises:
        ShapeError: not four axes, or not 1 to 4 channels.
    """
    pixels = to_uint8(images)
    if pixels.shape[3] not in MODES:
        raise ShapeError(
            f"pictures: got {pixels.shape[3]} channels, expected 1 (grey), 2 (+ alpha), 3 (RGB) or 4 (RGBA)"
        )
    if pixels.shape[3] == 1:
        pixels = pixels[..., 0]  # [N, H, W]
    return [Image.fromarray(picture) for picture in pixels]


def default_columns(count: int, size: tuple[int, int]) -> int:
    """Return how many columns make a sheet of `count` pictures of `size` (width, height) about 4:3 and well filled.

    Of the numbers within a factor 1.5 of the ideal: the one that leaves the fewest cells empty, then the nearest.
    """
    ideal = math.sqrt(count * SHEET_ASPECT * size[1] / size[0])
    candidates = [c for c in range(1, count + 1) if ideal / 1.5 <= c <= ideal * 1.5] or [1 if ideal < 1 else count]
    return min(candidates, key=lambda c: (-count % c, abs(math.log(c / ideal))))


def grid(pictures: Sequence[Image.Image], columns: int | None = None, pad: int = 0) -> Image.Image:
    """Lay pictures of one size and mode side by side, row by row.

    Args:
        pictures: at least one picture.
        columns: pictures in a row; None chooses a well filled sheet of about 4:3.
        pad: gap between pictures, pixels; gap and empty cells are black, transparent where there is alpha.

    Raises:
        ShapeError: no picture, or sizes or modes differ.
    """
    size, mode = _uniform(pictures)
    columns = columns or default_columns(len(pictures), size)
    rows = -(-len(pictures) // columns)
    width, height = size[0] + pad, size[1] + pad
    sheet = Image.new(mode, (columns * width - pad, rows * height - pad))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return sheet


def strip(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Lay pictures of one size in a row, each under its caption, on white: before and after, for example.

    Raises:
        ShapeError: no picture, sizes or modes differ, or not one caption a picture.
    """
    (width, height), _ = _uniform(pictures)
    if len(captions) != len(pictures):
        raise ShapeError(f"strip: got {len(captions)} captions, expected {len(pictures)}, one a picture")
    font = _font(width)
    band, gap = _line_height(font), max(2, width // 64)
    sheet = Image.new("RGB", (len(pictures) * (width + gap) - gap, band + height), "white")
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = index * (width + gap)
        _write(sheet, caption, (left, 0, width, band), font)
        sheet.paste(on_white(picture), (left, band))
    return sheet


def labelled_sheet(
    cells: Sequence[Sequence[Image.Image]],
    row_heads: Sequence[Image.Image],
    column_heads: Sequence[Image.Image],
    *,
    row_captions: Sequence[str] = (),
    column_captions: Sequence[str] = (),
) -> Image.Image:
    """Lay out a table of pictures with source pictures on its left and top edges: a style-mixing sheet.

    Args:
        cells: rows of pictures, all of one size.
        row_heads: the picture left of each row.
        column_heads: the picture above each column.
        row_captions: text left of each row's head, read upwards; empty: none.
        column_captions: text over each column's head; empty: none.

    Returns:
        An RGB sheet on white whose upper left corner is empty and whose heads stand a little apart.

    Raises:
        ShapeError: the table is not rectangular, does not fit its heads or captions, or sizes differ.
    """
    (width, height), _ = _uniform([*itertools.chain(*cells), *row_heads, *column_heads])
    if len(cells) != len(row_heads) or any(len(row) != len(column_heads) for row in cells):
        raise ShapeError(
            f"sheet: got rows of {[len(row) for row in cells]} pictures, "
            f"expected {len(row_heads)} rows of {len(column_heads)}, one for every head"
        )
    for captions, heads in ((row_captions, row_heads), (column_captions, column_heads)):
        if captions and len(captions) != len(heads):
            raise ShapeError(f"sheet: got {len(captions)} captions, expected {len(heads)}, one a head")
    font, gap = _font(min(width, height)), max(2, width // 16)
    band = _line_height(font)
    x0, y0 = band if row_captions else 0, band if column_captions else 0
    left, top = x0 + width + gap, y0 + height + gap
    sheet = Image.new("RGB", (left + len(column_heads) * width, top + len(row_heads) * height), "white")
    for column, head in enumerate(column_heads):
        sheet.paste(on_white(head), (left + column * width, y0))
        if column_captions:
            _write(sheet, column_captions[column], (left + column * width, 0, width, band), font)
    for row, (head, pictures) in enumerate(zip(row_heads, cells, strict=True)):
        sheet.paste(on_white(head), (x0, top + row * height))
        if row_captions:
            label = Image.new("RGB", (height, band), "white")
            _write(label, row_captions[row], (0, 0, height, band), font)
            sheet.paste(label.transpose(Image.Transpose.ROTATE_90), (0, top + row * height))
        for column, picture in enumerate(pictures):
            sheet.paste(on_white(picture), (left + column * width, top + row * height))
    return sheet


def contact_sheet(
    pictures: Sequence[Image.Image], captions: Sequence[str] = (), *, cell: int = 128, columns: int | None = None
) -> Image.Image:
    """Show pictures of any size and mode, each fitted into a square cell, on white.

    Args:
        pictures: at least one picture.
        captions: text under each picture; empty: none.
        cell: side of a cell, pixels. Larger pictures are reduced, smaller ones enlarged by a whole factor.
        columns: pictures in a row; None chooses.

    Raises:
        ShapeError: no picture, or not one caption a picture.
    """
    if not pictures or (captions and len(captions) != len(pictures)):
        raise ShapeError(f"contact sheet: got {len(pictures)} pictures and {len(captions)} captions, expected as many")
    font, gap = _font(cell), max(2, cell // 32)
    band = _line_height(font) if captions else 0
    columns = columns or default_columns(len(pictures), (cell + gap, cell + band + gap))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (cell + gap) - gap, rows * (cell + band + gap) - gap), "white")
    for index, picture in enumerate(pictures):
        x, y = index % columns * (cell + gap), index // columns * (cell + band + gap)
        fitted = _fit(on_white(picture), cell)
        sheet.paste(fitted, (x + (cell - fitted.width) // 2, y + (cell - fitted.height) // 2))
        if captions:
            _write(sheet, captions[index], (x, y + cell, cell, band), font)
    return sheet


def on_white(picture: Image.Image) -> Image.Image:
    """Return `picture` as RGB; what is transparent shows white."""
    if "A" not in picture.getbands():
        return picture.convert("RGB")
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), rgba).convert("RGB")


def save_png(picture: Image.Image, path: Path) -> Path:
    """Write `picture` as PNG in one step (a reader sees the old file or the new one) and return its path.

    Raises:
        LimnerError: the file cannot be written.
    """
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    with _naming(path), atomic_file(path) as file:
        file.write(encoded.getbuffer())
    return path


def write_animation(
    frames: Iterable[Image.Image], path: Path, fps: int = 30, progress: Callable[[int], None] | None = None
) -> tuple[Path, str | None]:
    """Write frames of one size as an endless animation; an .mp4 is encoded while the frames are made.

    Args:
        frames: pictures; what is transparent shows white in .mp4 (H.264, yuv420p) and .gif.
        path: file ending in .mp4 (needs the extra `video`), .gif, .webp or .apng.
        fps: frames a second. A .gif counts in 1/100 s, so its rate is rounded.
        progress: called with the number of frames taken so far, after each.

    Returns:
        The path written, and None or a sentence: without PyAV an .mp4 becomes a .webp beside it.

    Raises:
        ConfigError: the ending is not one of these, or fps is less than 1.
        ShapeError: there is no frame, or sizes differ.
        LimnerError: the file cannot be written.
    """
    if path.suffix.lower() not in ANIMATIONS:
        raise ConfigError(
            f"animation '{path}': got ending '{path.suffix}', expected one of {', '.join(ANIMATIONS)}."
            f"{closest(path.suffix, ANIMATIONS)}"
        )
    if fps < 1:
        raise ConfigError(f"animation '{path}': got {fps} frames a second, expected at least 1")
    notice = None
    if path.suffix.lower() == ".mp4" and not _has_av():
        notice = f"PyAV is not installed: wrote {path.with_suffix('.webp').name} instead of {path.name}"
        notice += " (pip install 'limner[video]' gives mp4)"
        path = path.with_suffix(".webp")
    checked = _checked_frames(frames, progress)
    write = _write_video if path.suffix.lower() == ".mp4" else _write_pillow
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(checked, temporary, fps)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path, notice


def _has_av() -> bool:
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def _checked_frames(frames: Iterable[Image.Image], progress: Callable[[int], None] | None) -> Iterator[Image.Image]:
    """Yield the frames, make sure that there is one and that sizes agree, and report progress."""
    size = None
    for count, frame in enumerate(frames, 1):
        size = size or frame.size
        if frame.size != size:
            raise ShapeError(f"animation: frame {count} is {frame.size}, expected {size} like the first")
        yield frame
        if progress:
            progress(count)
    if size is None:
        raise ShapeError("animation: got no frames, expected at least one")


def _write_video(frames: Iterator[Image.Image], path: Path, fps: int) -> None:
    """Encode H.264 in yuv420p, tagged as BT.709, with the index in front so that browsers start at once."""
    import av
    from av.video.reformatter import ColorRange, Colorspace

    first = next(frames)
    width, height = (side + side % 2 for side in first.size)  # yuv420p halves both sides
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = int(Colorspace.ITU709)
        context.color_range = int(ColorRange.MPEG)
        for picture in itertools.chain([first], frames):
            pixels = np.asarray(on_white(picture))  # [H, W, 3]
            pixels = np.pad(pixels, ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_pillow(frames: Iterator[Image.Image], path: Path, fps: int) -> None:
    """Write .gif, .webp or .apng; Pillow holds all frames of these in memory."""
    kind = path.suffix.lower()
    duration = 1000 / fps  # ms
    if kind == ".gif":
        first, *rest = (on_white(frame) for frame in frames)
        first.save(path, "GIF", save_all=True, append_images=rest, duration=round(duration / 10) * 10, loop=0)
    elif kind == ".webp":
        first, *rest = frames
        first.save(path, "WEBP", save_all=True, append_images=rest, duration=round(duration), loop=0, quality=90)
    else:
        first, *rest = frames
        first.save(path, "PNG", save_all=True, append_images=rest, duration=duration, loop=0)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn a failed write into a sentence that names the file."""
    try:
        yield
    except OSError as error:
        raise LimnerError(
            f"cannot write '{path}': {error.strerror or error}; free space on that disk or choose another folder"
        ) from None


def _uniform(pictures: Sequence[Image.Image]) -> tuple[tuple[int, int], str]:
    """Return the (width, height) and mode that all pictures share."""
    if not pictures:
        raise ShapeError("sheet: got no pictures, expected at least one")
    kinds = {(picture.size, picture.mode) for picture in pictures}
    if len(kinds) > 1:
        raise ShapeError(f"sheet: got pictures of different kinds {sorted(kinds)}, expected one size and mode")
    return kinds.pop()


def _font(width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font in a size that suits a picture `width` pixels wide."""
    return ImageFont.load_default(size=min(max(width // 12, 10), 24))


def _line_height(font: Any) -> int:
    _, _, _, bottom = font.getbbox("Ag")
    return math.ceil(bottom) + 4


def _write(sheet: Image.Image, text: str, box: tuple[int, int, int, int], font: Any) -> None:
    """Write one line in the middle of box (left, top, width, height), shortened to fit.

    What is left out lies in the first half: names of files mostly differ at their ends.
    """
    left, top, width, height = box
    draw = ImageDraw.Draw(sheet)
    shown, kept = text, len(text)
    while kept > 1 and draw.textlength(shown, font=font) > width - 4:
        kept -= 1
        shown = f"{text[: kept // 3]}..{text[len(text) - kept + kept // 3 :]}"
    draw.text((left + width / 2, top + height / 2), shown, fill="black", font=font, anchor="mm")


def _fit(picture: Image.Image, cell: int) -> Image.Image:
    """Return `picture` with its longer side at most `cell`; small ones grow by a whole factor."""
    factor = cell / max(picture.size)
    if factor >= 1:
        return picture.resize((picture.width * int(factor), picture.height * int(factor)), Image.Resampling.NEAREST)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
