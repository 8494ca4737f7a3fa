"""Tables of pictures with captions: what most figures are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from PIL import Image, ImageDraw, ImageFont

from limner.images import on_white

FONT_SIZE = 13
GAP = 4
"""Space between cells, pixels."""
MARGIN = 6
"""Space that a caption adds to its height and width, pixels."""


def table(
    cells: Sequence[Sequence[Image.Image | None]],
    size: tuple[int, int],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Lay pictures out in rows, on white, with captions, each of one line or several.

    Args:
        cells: rows of as many pictures, of any size, brought to `size`; None leaves a cell empty.
        size: width and height of a cell, pixels.
        rows: one caption a row, left of it; empty: none.
        columns: one caption a column, above it; empty: none.
        captions: one caption a cell, below it; empty: none.
    """
    (left, _), (head_width, top) = extent(rows), extent(columns)
    caption_width, band = extent(list(chain(*captions)))
    cell_width = max(size[0], head_width, caption_width)
    step_x, step_y = cell_width + GAP, size[1] + band + GAP
    sheet = Image.new("RGB", (left + len(cells[0]) * step_x - GAP, top + len(cells) * step_y - GAP), "white")
    for column, text in enumerate(columns):
        _write(sheet, text, left + column * step_x + cell_width / 2, top / 2)
    for row, pictures in enumerate(cells):
        y = top + row * step_y
        if rows:
            _write(sheet, rows[row], left / 2, y + size[1] / 2)
        for column, picture in enumerate(pictures):
            x = left + column * step_x
            if picture is not None:
                sheet.paste(fitted(picture, size), (x + (cell_width - size[0]) // 2, y))
            if captions:
                _write(sheet, captions[row][column], x + cell_width / 2, y + size[1] + band / 2)
    return sheet


def extent(texts: Sequence[str]) -> tuple[int, int]:
    """Return the width and height that the largest text needs, pixels; (0, 0) when there is none."""
    if not any(texts):
        return 0, 0
    scratch = ImageDraw.Draw(Image.new("L", (1, 1)))
    boxes = [scratch.multiline_textbbox((0, 0), text, font=_font()) for text in texts]
    return round(max(box[2] for box in boxes)) + MARGIN, round(max(box[3] for box in boxes)) + MARGIN


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return `picture` as RGB on white with `size` (width, height); enlarging repeats pixels."""
    is_enlarged = picture.width <= size[0] and picture.height <= size[1]
    return on_white(picture).resize(size, Image.Resampling.NEAREST if is_enlarged else Image.Resampling.LANCZOS)


def _write(sheet: Image.Image, text: str, x: float, y: float) -> None:
    """Write text around the point (x, y)."""
    draw = ImageDraw.Draw(sheet)
    draw.multiline_text((x, y), text, fill="black", font=_font(), anchor="mm", align="center")


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=FONT_SIZE)
