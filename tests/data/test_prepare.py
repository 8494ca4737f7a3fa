"""From any pictures to one data set zip."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from limner.data import open_dataset
from limner.data import prepare as prepare_module
from limner.data.prepare import PrepareConfig, prepare
from limner.errors import ConfigError, DataError

from .conftest import Pictures, encoded, picture, pixels, png_claiming
from .readers.test_cifar import META, batch, tar
from .readers.test_idx import PIXELS, write

CONFIG = PrepareConfig(resolution=16)


def test_the_zip_has_nvidias_layout(pictures: Pictures):
    source = pictures.folder({f"{c}/{i}.png": picture(i, 20, 20) for i, c in enumerate(["cat", "dog", "cat"])})
    summary = prepare(source, pictures.root / "out.zip", CONFIG)
    with zipfile.ZipFile(summary.path) as archive:
        entries = archive.infolist()
        assert [e.filename for e in entries] == [f"00000/img0000000{i}.png" for i in range(3)] + ["dataset.json"]
        assert all(e.compress_type == zipfile.ZIP_STORED for e in entries)
        values = json.loads(archive.read("dataset.json"))
        with Image.open(io.BytesIO(archive.read("00000/img00000000.png"))) as first:
            assert (first.size, first.mode, first.format) == ((16, 16), "RGB", "PNG")
    assert values["labels"] == [[e.filename, label] for e, label in zip(entries, [0, 0, 1], strict=False)]
    assert values["label_names"] == ["cat", "dog"]
    assert (summary.count, summary.c_dim, summary.label_names) == (3, 2, ("cat", "dog"))


def test_pictures_are_numbered_in_folders_of_a_thousand():
    names = [prepare_module._picture_name(n) for n in (0, 999, 1000, 123_456_78)]
    assert names == ["00000/img00000000.png", "00000/img00000999.png", "00001/img00001000.png", "12345/img12345678.png"]


def test_a_prepared_set_prepared_again_keeps_pixels_labels_and_bytes(pictures: Pictures):
    files = pictures.nvidia(5, labels=[[0.0, 1.0], [0.1, 1e-9], [1.0, 1.0], [0.0, 0.0], [1.0, 0.5]])
    once = prepare(pictures.zip(files), pictures.root / "once.zip", PrepareConfig())
    twice = prepare(once.path, pictures.root / "twice.zip", PrepareConfig(workers=3))
    assert (pictures.root / "once.zip").read_bytes() == (pictures.root / "twice.zip").read_bytes()
    dataset = open_dataset(twice.path)
    assert all(np.array_equal(dataset.image(i), pixels(i)) for i in range(5))
    assert dataset.label(4).tolist() == [1.0, 0.5]
    assert np.array_equal(dataset.label(1), np.array([0.1, 1e-9], np.float32))


@pytest.mark.parametrize("form", ["zip", "tar", "idx", "attributes", "samples"])
def test_every_form_of_source_becomes_a_data_set(pictures: Pictures, form):
    listed = {"0.png": picture(0), "1.png": picture(1), "list_attr.txt": "2\nA B\n0.png 1 -1\n1.png -1 -1\n"}
    config, expected = CONFIG, {"zip": 0, "tar": 3, "idx": 10, "attributes": 2, "samples": 16}
    if form == "zip":
        source, count = pictures.zip({"a/x.png": picture(0), "a/y.png": picture(1)}), 2
    elif form == "tar":
        source, count = tar(pictures.root / "c.tar.gz", {"data_batch_1": batch(0), "batches.meta": META}), 4
    elif form == "idx":
        source, count = write(pictures.root), 5
    elif form == "attributes":
        source, count = pictures.folder(listed), 2
    else:
        source, count, config = "samples", 7, PrepareConfig(resolution=16, max_images=7)
    done: list[tuple[int, int]] = []
    summary = prepare(source, pictures.root / "out" / "set.zip", config, lambda *step: done.append(step))
    dataset = open_dataset(summary.path)
    assert done == [(i + 1, count) for i in range(count)]
    assert (len(dataset), dataset.resolution, dataset.c_dim) == (count, (16, 16), expected[form])
    assert dataset.channels == summary.channels == (1 if form == "idx" else 3)
    assert dataset.label_names == summary.label_names


def test_mnist_keeps_its_pixels_and_size(pictures: Pictures):
    dataset = open_dataset(prepare(write(pictures.root), pictures.root / "out.zip", PrepareConfig()).path)
    assert np.array_equal(dataset.image(2)[0], PIXELS[2])
    assert dataset.label(2).argmax() == 9


def test_every_kind_of_trouble_is_handled_and_counted(pictures: Pictures):
    exif = Image.Exif()
    exif[0x0112] = 8
    whole = encoded(picture(1, 64, 64))
    files = {
        "good/ünïcödé 猫.png": picture(0, 20, 30),
        "good/turned.jpg": encoded(picture(2, 20, 30), "JPEG", exif=exif),
        "good/cmyk.jpg": picture(3, 20, 20, "CMYK"),
        "good/palette.png": picture(4, 20, 20, "P"),
        "good/clear.png": picture(5, 20, 20, "RGBA"),
        "good/deep.png": Image.fromarray(np.full((20, 20), 40_000, np.uint16)),
        "good/moving.gif": encoded(picture(6, 20, 20), "GIF", save_all=True, append_images=[picture(7, 20, 20)]),
        "good/moving.webp": encoded(picture(6, 20, 20), "WEBP", save_all=True, append_images=[picture(7, 20, 20)]),
        "good/small.png": picture(8, 10, 12),
        "bad/cut.png": whole[: len(whole) // 2],
        "bad/cut.jpg": encoded(picture(1, 64, 64), "JPEG")[:900],
        "bad/empty.png": b"",
        "bad/tiny.png": picture(9, 7, 30),
        "bad/text.jpg": "not a picture at all",
        "bad/nan.tif": encoded(Image.fromarray(np.full((20, 20), np.nan, np.float32)), "TIFF"),
        "bad/bomb.png": png_claiming(50_000, 50_000),
        "notes.txt": "hello",
        "movie.mp4": b"\0\0\0\x18ftyp",
        ".hidden.png": b"x",
    }
    summary = prepare(pictures.folder(files), pictures.root / "out.zip", CONFIG)
    assert summary.count == 9
    assert dict(summary.skipped) == {
        "broken picture": 3,
        "empty file": 1,
        "too small": 1,
        "not finite": 1,
        "too many pixels": 1,
        "not a picture": 2,
    }
    assert summary.examples["too small"] == ["bad/tiny.png (7x30 pixels)"]
    assert summary.examples["not a picture"] == ["movie.mp4", "notes.txt"]
    assert dict(summary.changed) == {
        "turned upright by their EXIF orientation": 1,
        "of several frames, the first is used": 2,
        "converted from CMYK": 1,
        "converted from a palette": 2,
        "composited on white": 1,
        "rounded from 16 to 8 bits": 1,
        "enlarged": 1,
    }
    dataset = open_dataset(summary.path)
    assert (len(dataset), dataset.channels, dataset.c_dim) == (9, 3, 2)
    text = "\n".join(summary.lines())
    assert "9 pictures of 16x16" in text
    assert "3 left out: broken picture: bad/cut.jpg (" in text
    assert text.count("(") == text.count(")")
    assert "2 of several frames, the first is used" in text


def test_many_bad_files_of_one_kind_are_named_only_by_the_first_few(pictures: Pictures):
    files = {f"bad{i}.png": b"" for i in range(9)} | {"good.png": picture(0)}
    summary = prepare(pictures.zip(files), pictures.root / "out.zip", CONFIG)
    assert summary.skipped["empty file"] == 9
    assert summary.examples["empty file"] == [f"bad{i}.png" for i in range(5)]
    assert "9 left out: empty file: bad0.png, bad1.png, bad2.png, bad3.png, bad4.png, ..." in summary.lines()


def test_labels_stay_with_their_pictures_when_others_are_left_out(pictures: Pictures):
    files = pictures.nvidia(4, labels=[3, 2, 1, 0])
    files["00000/img00000001.png"] = b"broken"
    dataset = open_dataset(prepare(pictures.zip(files), pictures.root / "out.zip", CONFIG).path)
    assert [int(dataset.label(i).argmax()) for i in range(3)] == [3, 1, 0]
    assert np.array_equal(dataset.image(1), pixels(2))


def test_a_label_file_wins_over_class_folders(pictures: Pictures):
    source = pictures.folder({"cat/a.png": picture(0), "dog/b.png": picture(1)})
    (pictures.root / "l.csv").write_text("name,mood\na.png,happy\nb.png,calm\n")
    config = PrepareConfig(resolution=16, labels=str(pictures.root / "l.csv"))
    dataset = open_dataset(prepare(source, pictures.root / "out.zip", config).path)
    assert dataset.label_names == ("calm", "happy")
    assert [int(dataset.label(i).argmax()) for i in range(2)] == [1, 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("crop", ["centre", "none", "letterbox"])
def test_every_number_of_channels_is_written_for_non_square_pictures(pictures: Pictures, channels, crop):
    config = PrepareConfig(resolution=(24, 16), channels=channels, crop=crop, filter="bicubic")
    files = {"a.png": picture(0, 50, 40, "RGBA"), "b.jpg": picture(1, 30, 30, "L"), "c.png": picture(2, 24, 16)}
    dataset = open_dataset(prepare(pictures.folder(files), pictures.root / "out.zip", config).path)
    assert dataset.image(0).shape == (channels, 24, 16)
    assert dataset.channels == channels


def test_grey_pictures_stay_grey_and_transparency_goes_unless_asked_for(pictures: Pictures):
    grey = {"a.png": picture(0, mode="L"), "b.png": picture(1, mode="LA")}
    assert prepare(pictures.folder(grey), pictures.root / "1.zip", CONFIG).channels == 1
    clear = {"a.png": Image.new("RGBA", (16, 16), (0, 0, 0, 0))}
    path = prepare(pictures.folder(clear, "clear"), pictures.root / "2.zip", CONFIG).path
    assert open_dataset(path).image(0).min() == 255


def test_sixteen_bits_are_kept_for_grey_and_refused_for_colour(pictures: Pictures):
    values = np.random.RandomState(0).randint(0, 65536, (16, 16)).astype(np.uint16)
    source = pictures.folder({"a.png": Image.fromarray(values)})
    path = prepare(source, pictures.root / "out.zip", PrepareConfig(bits=16)).path
    with zipfile.ZipFile(path) as archive, Image.open(io.BytesIO(archive.read("00000/img00000000.png"))) as back:
        assert np.array_equal(np.asarray(back), values)
    assert open_dataset(path).image(0).dtype == np.uint8
    with pytest.raises(ConfigError, match="bits: got 16 with 3 channels, expected 1 channel"):
        prepare(source, pictures.root / "out.zip", PrepareConfig(bits=16, channels=3))


def test_at_most_max_images_are_used_spread_over_the_names(pictures: Pictures):
    source = pictures.zip(pictures.nvidia(10, labels=list(range(10))))
    dataset = open_dataset(prepare(source, pictures.root / "out.zip", PrepareConfig(max_images=4)).path)
    assert [int(dataset.label(i).argmax()) for i in range(4)] == [0, 2, 5, 7]


def test_mixed_sizes_without_a_resolution_are_refused_with_a_table(pictures: Pictures):
    source = pictures.folder({"a.png": picture(0), "b.png": picture(1), "c.png": picture(2, 20, 30)})
    with pytest.raises(DataError, match=r"2 sizes .*: 16x16 \(2\), 20x30 \(1\); give --resolution"):
        prepare(source, pictures.root / "out.zip", PrepareConfig())
    assert not (pictures.root / "out.zip").exists()


def test_a_kept_size_that_no_network_takes_is_noted(pictures: Pictures):
    summary = prepare(pictures.folder({"a.png": picture(0, 50, 50)}), pictures.root / "out.zip", PrepareConfig())
    assert "no network can be built for 50x50" in summary.lines()[-1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resolution": 100}, "no network can be built for 100x100 .* use 96x96 or 112x112"),
        ({"filter": "lanzcos"}, "filter: got 'lanzcos', .*Did you mean 'lanczos'"),
        ({"crop": "center"}, "crop: got 'center', .*Did you mean 'centre'"),
        ({"on_error": "stop"}, "on_error: got 'stop'"),
        ({"channels": 5}, "channels: got 5"),
        ({"bits": 12}, "bits: got 12"),
        ({"max_images": 0}, "max_images: got 0"),
        ({"workers": 0}, "workers: got 0"),
    ],
)
def test_settings_out_of_range_are_refused(pictures: Pictures, wrong, message):
    with pytest.raises(ConfigError, match=message):
        prepare(pictures.folder({"a.png": picture(0)}), pictures.root / "out.zip", PrepareConfig(**wrong))


def test_on_error_fail_stops_at_the_first_bad_picture(pictures: Pictures):
    source = pictures.folder({"a.png": picture(0), "b.png": b"junk"})
    with pytest.raises(DataError, match=r"cannot use 'b\.png': broken picture"):
        prepare(source, pictures.root / "out.zip", PrepareConfig(resolution=16, on_error="fail"))
    assert sorted(p.name for p in pictures.root.iterdir()) == ["photos"]


def test_no_usable_picture_is_an_error_with_the_reasons(pictures: Pictures):
    source = pictures.folder({"a.png": b"", "b.png": picture(0, 4, 4), "c.png": b"junk"})
    with pytest.raises(
        DataError, match=r"no usable picture in .*: 1 empty file, 1 too small, 1 broken picture, such as a"
    ):
        prepare(source, pictures.root / "out.zip", CONFIG)
    assert not (pictures.root / "out.zip").exists()


def test_an_interruption_or_a_full_disk_leaves_the_older_set_and_no_rubbish(pictures: Pictures, monkeypatch):
    source, dest = pictures.folder({f"{i}.png": picture(i) for i in range(6)}), pictures.root / "out.zip"
    prepare(source, dest, PrepareConfig(max_images=2))
    before = dest.read_bytes()

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, dest, CONFIG, interrupt)

    def full(*_args, **_options) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(DataError, match=r"cannot write .*No space left on device; nothing there was changed"):
            prepare(source, dest, CONFIG)
    assert dest.read_bytes() == before
    assert sorted(p.name for p in pictures.root.iterdir()) == ["out.zip", "photos"]
    assert prepare(source, dest, CONFIG).count == 6


def test_only_an_older_set_of_ours_is_replaced(pictures: Pictures):
    source = pictures.folder({"a.png": picture(0)})
    precious = pictures.zip({"a.png": picture(1)}, "precious.zip")
    ours = prepare(source, pictures.root / "ours.zip", CONFIG).path
    (pictures.root / "folder.zip").mkdir()
    (pictures.root / "text.zip").write_text("hello")
    for dest in (precious, pictures.root / "folder.zip", pictures.root / "text.zip"):
        with pytest.raises(DataError, match="no data set written by limner, so it is not replaced"):
            prepare(source, dest, CONFIG)
    with pytest.raises(DataError, match="so it is not replaced"):
        prepare(ours, ours, CONFIG)
    with pytest.raises(DataError, match=r"expected a file name ending in \.zip"):
        prepare(source, pictures.root / "out", CONFIG)
