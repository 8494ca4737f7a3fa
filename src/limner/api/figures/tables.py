"""Tables of pictures with captions: what most figures are."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from limner.images import on_white

FONT_SIZE = 13
GAP = 4
"""Space between cells and around captions, pixels."""


def table(
    cells: Sequence[Sequence[Image.Image | None]],
    size: tuple[int, int],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Lay pictures out in rows, on white, with captions.

    Args:
        cells: rows of pictures of any size, brought to `size`; None leaves a cell empty. Rows may differ in length.
        size: width and height of a cell, pixels.
        rows: one caption a row, left of it; empty: none. A caption may have several lines.
        columns: one caption a column, above it; empty: none.
        captions: one caption a cell, below it; empty: none.
    """
    font = ImageFont.load_default(size=FONT_SIZE)
    scratch = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def extent(texts: Sequence[str]) -> tuple[int, int]:
        """Width and height of the largest text; nothing for none."""
        boxes = [scratch.textbbox((0, 0), text, font=font) for text in texts if text]
        return max((round(box[2]) for box in boxes), default=-GAP) + GAP, max(
            (round(b[3]) for b in boxes), default=-GAP
        ) + GAP

    left, top = extent(rows)[0], extent(columns)[1]
    band = extent([text for row in captions for text in row])[1]
    widest = max(size[0], extent(columns)[0], extent([text for row in captions for text in row])[0])
    step_x, step_y = widest + GAP, size[1] + band + GAP
    sheet = Image.new("RGB", (left + max(len(row) for row in cells) * step_x - GAP, top + len(cells) * step_y), "white")
    draw = ImageDraw.Draw(sheet)

    def write(text: str, x: float, y: float, anchor: str) -> None:
        draw.multiline_text((x, y), text, fill="black", font=font, anchor=anchor, align="center")

    for column, text in enumerate(columns):
        write(text, left + column * step_x + widest / 2, top / 2, "mm")
    for row, pictures in enumerate(cells):
        y = top + row * step_y
        if rows:
            write(rows[row], left / 2, y + size[1] / 2, "mm")
        for column, picture in enumerate(pictures):
            x = left + column * step_x
            if picture is not None:
                sheet.paste(fitted(picture, size), (x + (widest - size[0]) // 2, y))
            if captions:
                write(captions[row][column], x + widest / 2, y + size[1] + band / 2, "mm")
    return sheet


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return `picture` as RGB on white with `size` (width, height); enlarging repeats pixels."""
    is_enlarged = picture.width <= size[0] and picture.height <= size[1]
    how = Image.Resampling.NEAREST if is_enlarged else Image.Resampling.LANCZOS
    return on_white(picture).resize(size, how)
