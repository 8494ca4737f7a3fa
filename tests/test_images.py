"""Pictures, sheets and animation files."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner import images
from limner.errors import ConfigError, LimnerError, ShapeError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def plain(colour: tuple[int, ...], size: tuple[int, int] = (16, 12), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def test_bytes_follow_the_fields_convention() -> None:
    values = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    pixels = images.to_uint8(values.view(1, 1, 1, -1))
    assert pixels.dtype == np.uint8
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 64, 128, 191, 255, 255]


def test_every_byte_survives_the_way_to_a_tensor_and_back() -> None:
    byte = torch.arange(256, dtype=torch.float32).view(1, 1, 16, 16)
    assert np.array_equal(images.to_uint8(byte / 127.5 - 1)[0, :, :, 0].ravel(), np.arange(256))


def test_pixels_keep_their_place_and_channel() -> None:
    tensor = torch.full((1, 3, 4, 5), -1.0)
    tensor[0, 1, 2, 3] = 1.0  # green at row 2, column 3
    picture = images.to_pil(tensor)[0]
    assert picture.size == (5, 4)
    assert picture.getpixel((3, 2)) == GREEN
    assert picture.getpixel((2, 3)) == (0, 0, 0)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_channels_choose_the_mode_in_any_memory_layout(channels: int, mode: str, layout: torch.memory_format) -> None:
    tensor = torch.rand(2, channels, 3, 5).mul(2).sub(1).to(memory_format=layout).requires_grad_()
    pictures = images.to_pil(tensor)
    assert [(p.mode, p.size) for p in pictures] == [(mode, (5, 3))] * 2
    expected = (tensor.detach() * 127.5 + 128).clamp(0, 255).byte()
    assert np.array_equal(np.asarray(pictures[1]).reshape(3, 5, channels), expected[1].permute(1, 2, 0))


def test_tensors_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"got a tensor of \[3, 4, 4\], expected \[N, C, H, W\]"):
        images.to_uint8(torch.zeros(3, 4, 4))
    with pytest.raises(ShapeError, match="got 5 channels, expected 1"):
        images.to_pil(torch.zeros(1, 5, 4, 4))


def test_a_grid_fills_row_by_row_with_gaps_between() -> None:
    sheet = images.grid([plain(RED), plain(GREEN), plain(BLUE)], columns=2, pad=3)
    assert sheet.size == (16 * 2 + 3, 12 * 2 + 3)
    assert sheet.getpixel((0, 0)) == RED
    assert sheet.getpixel((16 + 3, 0)) == GREEN
    assert sheet.getpixel((0, 12 + 3)) == BLUE
    assert sheet.getpixel((17, 5)) == (0, 0, 0)
    assert sheet.getpixel((20, 20)) == (0, 0, 0)


def test_a_grid_keeps_alpha() -> None:
    sheet = images.grid([plain((9, 8, 7, 6), mode="RGBA")] * 3, columns=2)
    assert sheet.getpixel((0, 0)) == (9, 8, 7, 6)
    assert sheet.getpixel((20, 20)) == (0, 0, 0, 0)


def test_pictures_of_different_kinds_make_no_grid() -> None:
    with pytest.raises(ShapeError, match="different kinds"):
        images.grid([plain(RED), plain(RED, size=(5, 5))])
    with pytest.raises(ShapeError, match="different kinds"):
        images.grid([plain(RED), plain(0, mode="L")])
    with pytest.raises(ShapeError, match="got no pictures"):
        images.grid([])


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (6, 3), (12, 4), (16, 4), (32, 8), (36, 6), (64, 8)])
def test_usual_counts_make_full_sheets(count: int, columns: int) -> None:
    assert images.default_columns(count, (64, 64)) == columns
    assert count % columns == 0


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 200))
def test_the_default_columns_always_hold_every_picture(count: int, width: int, height: int) -> None:
    columns = images.default_columns(count, (width, height))
    assert 1 <= columns <= count


def test_wide_pictures_get_fewer_columns_than_tall_ones() -> None:
    assert images.default_columns(24, (256, 64)) < images.default_columns(24, (64, 64))
    assert images.default_columns(24, (64, 64)) < images.default_columns(24, (64, 256))


def dark(sheet: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Count the dark pixels in box (left, upper, right, lower): the ink of a caption."""
    return int((np.asarray(sheet.crop(box).convert("L")) < 100).sum())


def test_a_strip_writes_each_caption_above_its_picture() -> None:
    sheet = images.strip([plain(RED, (80, 60)), plain(GREEN, (80, 60))], ["before", "after"])
    band = sheet.height - 60
    assert sheet.getpixel((40, band + 30)) == RED
    assert sheet.getpixel((sheet.width - 40, band + 30)) == GREEN
    assert dark(sheet, (0, 0, 80, band)) > 10
    assert dark(sheet, (sheet.width - 80, 0, sheet.width, band)) > 10
    assert dark(sheet, (0, 0, sheet.width, 1)) == 0
    with pytest.raises(ShapeError, match="got 1 captions, expected 2"):
        images.strip([plain(RED)] * 2, ["before"])


def test_a_long_caption_never_touches_its_neighbour() -> None:
    pictures = [plain(WHITE, (60, 20))] * 2
    sheet = images.strip(pictures, ["a caption much longer than the picture", ""])
    assert dark(sheet, (0, 0, 60, sheet.height)) > 10
    assert dark(sheet, (61, 0, sheet.width, sheet.height)) == 0


def test_a_labelled_sheet_puts_the_sources_on_the_edges_and_leaves_the_corner_empty() -> None:
    heads = [plain((10 * i, 0, 0), (32, 24)) for i in range(1, 6)]
    cells = [[plain((0, 50 * r, 50 * c), (32, 24)) for c in range(3)] for r in range(2)]
    sheet = images.labelled_sheet(cells, heads[:2], heads[2:])
    gap = sheet.width - 4 * 32
    assert sheet.size == (4 * 32 + gap, 3 * 24 + gap)
    assert np.all(np.asarray(sheet.crop((0, 0, 32 + gap, 24 + gap))) == 255)
    for column in range(3):
        assert sheet.getpixel((32 + gap + column * 32, 0)) == (10 * (column + 3), 0, 0)
        for row in range(2):
            assert sheet.getpixel((0, 24 + gap + row * 24)) == (10 * (row + 1), 0, 0)
            assert sheet.getpixel((32 + gap + column * 32, 24 + gap + row * 24)) == (0, 50 * row, 50 * column)


def test_captions_of_a_labelled_sheet_stand_outside_the_pictures() -> None:
    white = plain(WHITE, (48, 48))
    bare = images.labelled_sheet([[white]], [white], [white])
    sheet = images.labelled_sheet([[white]], [white], [white], row_captions=["seed 1"], column_captions=["seed 2"])
    band = sheet.width - bare.width
    assert band > 0
    assert sheet.height - bare.height == band
    assert dark(sheet, (0, 0, band, sheet.height)) > 10
    assert dark(sheet, (band, 0, sheet.width, band)) > 10
    assert dark(sheet, (band, band, sheet.width, sheet.height)) == 0


def test_a_table_that_does_not_fit_its_heads_is_refused() -> None:
    red = plain(RED)
    with pytest.raises(ShapeError, match=r"got rows of \[2, 1\] pictures, expected 2 rows of 2"):
        images.labelled_sheet([[red, red], [red]], [red, red], [red, red])
    with pytest.raises(ShapeError, match="got 1 captions, expected 2"):
        images.labelled_sheet([[red, red]], [red], [red, red], column_captions=["one"])


def test_a_contact_sheet_fits_pictures_of_any_size_and_mode() -> None:
    pictures = [plain(RED, (300, 100)), plain(7, (5, 5), "L"), plain((0, 0, 255, 0), (64, 64), "RGBA")]
    sheet = images.contact_sheet(pictures, ["one", "two", "three"], cell=64, columns=3)
    assert sheet.mode == "RGB"
    assert sheet.getpixel((32, 32)) == RED
    assert sheet.getpixel((32, 5)) == WHITE  # above the wide picture
    assert sheet.getpixel((66 + 32, 32)) == (7, 7, 7)  # 5 px grown to 60 px
    assert sheet.getpixel((66 + 3, 3)) == (7, 7, 7)
    assert sheet.getpixel((132 + 32, 32)) == WHITE  # transparent
    assert dark(sheet, (0, 64, 64, sheet.height)) > 5
    with pytest.raises(ShapeError, match="got 0 pictures"):
        images.contact_sheet([])


def test_saving_a_png_makes_folders_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "유니코드 name.png"
    assert images.save_png(plain(GREEN), path) == path
    assert Image.open(path).getpixel((0, 0)) == GREEN
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_png_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = images.save_png(plain(GREEN), tmp_path / "a.png")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(LimnerError, match=r"cannot write .*a\.png': No space left on device"):
        images.save_png(plain(RED), path)
    assert Image.open(path).getpixel((0, 0)) == GREEN
    assert list(tmp_path.iterdir()) == [path]


def moving(count: int, size: tuple[int, int] = (33, 21)) -> list[Image.Image]:
    return [plain((20 * i, 255 - 20 * i, 40), size) for i in range(count)]


@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng"])
def test_pillow_animations_keep_frames_speed_and_loop(tmp_path: Path, ending: str) -> None:
    path, notice = images.write_animation(moving(6), tmp_path / f"a{ending}", fps=10)
    assert notice is None
    with Image.open(path) as animation:
        assert (animation.n_frames, animation.size) == (6, (33, 21))
        assert animation.info["loop"] == 0
        for index in range(6):
            animation.seek(index)
            animation.load()
            assert animation.info["duration"] == 100
            colour = np.asarray(animation.convert("RGB")).reshape(-1, 3).mean(axis=0)
            assert np.abs(colour - (20 * index, 255 - 20 * index, 40)).max() < 6
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_is_yuv420p_of_even_size_with_the_edge_repeated(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path, notice = images.write_animation(iter(moving(8)), tmp_path / "a.mp4", fps=25)
    assert notice is None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (34, 22)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 25
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 8
    for index, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - (20 * index, 255 - 20 * index, 40)).max() < 12


def test_video_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("av")
    alive = most = 0

    class Frame(Image.Image):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def frames():
        nonlocal alive, most
        for picture in moving(12):
            frame = Frame()
            frame.__dict__.update(picture.__dict__)
            alive += 1
            most = max(most, alive)
            yield frame
            del frame

    counts: list[int] = []
    images.write_animation(frames(), tmp_path / "a.mp4", progress=counts.append)
    assert counts == list(range(1, 13))
    assert most <= 4


def test_without_pyav_a_webp_is_written_and_the_notice_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path, notice = images.write_animation(moving(3), tmp_path / "walk.mp4")
    assert path == tmp_path / "walk.webp"
    assert notice is not None
    assert "walk.webp instead of walk.mp4" in notice
    assert "limner[video]" in notice
    with Image.open(path) as animation:
        assert animation.n_frames == 3


def test_an_unknown_ending_no_frames_and_odd_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got ending '\.mp5', expected one of .* Did you mean '\.mp4'"):
        images.write_animation(moving(2), tmp_path / "a.mp5")
    with pytest.raises(ConfigError, match="got 0 frames a second"):
        images.write_animation(moving(2), tmp_path / "a.gif", fps=0)
    for ending in images.ANIMATIONS:
        with pytest.raises(ShapeError, match="got no frames"):
            images.write_animation([], tmp_path / f"a{ending}")
        with pytest.raises(ShapeError, match=r"frame 3 is \(5, 5\), expected \(33, 21\)"):
            images.write_animation([*moving(2), plain(RED, (5, 5))], tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_an_animation_in_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LimnerError, match=r"cannot write .*a\.gif'"):
        images.write_animation(moving(2), tmp_path / "file" / "a.gif")


def test_names_that_differ_at_their_ends_are_told_apart() -> None:
    one, two = (images.strip([plain(RED, (64, 64))], [f"img0001150{n}"]) for n in (0, 1))
    assert one.tobytes() != two.tobytes()
    head, tail = (images.strip([plain(RED, (64, 64))], [text]) for text in ("a" * 40, "b" + "a" * 39))
    assert head.tobytes() != tail.tobytes()
