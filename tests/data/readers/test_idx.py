"""MNIST-format idx files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from limner.data import open_dataset
from limner.data.readers import open_source
from limner.errors import DataError

PIXELS = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 0, 9, 9, 1], np.uint8)


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write(folder: Path, prefix: str = "train", labels: np.ndarray | None = LABELS, packed: bool = True) -> Path:
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    if labels is not None:
        (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))
    path = folder / f"{prefix}-images-idx3-ubyte{ending}"
    path.write_bytes(pack(idx(PIXELS)))
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_pictures_and_the_labels_beside_them_are_read(tmp_path, packed):
    dataset = open_dataset(write(tmp_path, packed=packed))
    assert (len(dataset), dataset.resolution, dataset.channels, dataset.c_dim) == (5, (28, 28), 1, 10)
    assert np.array_equal(dataset.image(3)[0], PIXELS[3])
    assert dataset.label(0).argmax() == 3


def test_a_folder_of_mnist_files_means_its_training_set(tmp_path):
    write(tmp_path, "t10k")
    train = write(tmp_path, "train")
    assert open_source(tmp_path).path == str(train)


def test_pictures_without_a_label_file_have_no_labels(tmp_path):
    assert open_source(write(tmp_path, labels=None)).labels is None


def test_another_number_of_labels_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"label count mismatch: .* has 4 labels for 5 pictures"):
        open_source(write(tmp_path, labels=LABELS[:4]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no idx file of pictures: got the bytes "),
        (idx(LABELS) + bytes(20), "is no idx file of pictures: got the bytes 00000801, expected 00000803"),
        (idx(PIXELS)[:-7], "got 3,913 values, expected 3,920"),
        (idx(PIXELS) + b"x", "got more values, expected 3,920"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, 10**5, 10**5, 10**5), r"expected 1 to 1,073,741,824 bytes"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, content, message):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(path)


def test_a_truncated_gzip_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cannot read .* truncated"):
        open_source(path)
