"""Tables: where cells and captions lie."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from limner.api.figures.tables import GAP, MARGIN, extent, fitted, table

RED, BLUE = Image.new("RGB", (2, 2), "red"), Image.new("RGB", (2, 2), "blue")


def test_cells_without_captions_lie_a_gap_apart() -> None:
    sheet = np.asarray(table([[RED, BLUE], [None, RED]], (4, 3)))
    assert sheet.shape == (2 * 3 + GAP, 2 * 4 + GAP, 3)
    assert (sheet[:3, :4] == (255, 0, 0)).all()
    assert (sheet[:3, 4 + GAP :] == (0, 0, 255)).all()
    assert (sheet[3 + GAP :, :4] == 255).all()
    assert (sheet[3 + GAP :, 4 + GAP :] == (255, 0, 0)).all()


def test_captions_take_the_place_they_need() -> None:
    captions = [["one", ""], ["two\nlines", ""]]
    sheet = table([[RED, BLUE], [RED, BLUE]], (100, 20), rows=["a", "bb"], columns=["c", ""], captions=captions)
    (left, _), (_, top), (_, band) = extent(["a", "bb"]), extent(["c", ""]), extent(["one", "two\nlines"])
    assert sheet.size == (left + 2 * 100 + GAP, top + 2 * (20 + band) + GAP)
    cells = np.asarray(sheet)
    assert (cells[top : top + 20, left : left + 100] == (255, 0, 0)).all()
    for part in (cells[:top, left : left + 100], cells[top : top + 20, :left], cells[top + 20 : top + 20 + band]):
        assert part.min() < 100  # something is written
    assert (cells[:top, left + 100 :] == 255).all()


def test_a_cell_is_as_wide_as_its_caption() -> None:
    text = "a caption wider than two pixels"
    sheet = table([[RED]], (2, 2), columns=[text])
    assert sheet.width == extent([text])[0] > 2 + MARGIN


def test_no_text_needs_no_space() -> None:
    assert extent([]) == extent(["", ""]) == (0, 0)


@pytest.mark.parametrize("size", [(8, 8), (2, 2), (1, 1)])
def test_pictures_are_brought_to_the_size_of_a_cell(size: tuple[int, int]) -> None:
    assert fitted(RED, size).size == size


def test_enlarging_repeats_pixels_and_transparency_becomes_white() -> None:
    picture = Image.fromarray(np.array([[[9, 8, 7, 255], [0, 0, 0, 0]]], np.uint8))
    enlarged = np.asarray(fitted(picture, (4, 2)))
    assert (enlarged[:, :2] == (9, 8, 7)).all()
    assert (enlarged[:, 2:] == 255).all()
