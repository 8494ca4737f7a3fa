"""CIFAR-10 python tars, honest and not."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from limner.data import decode, open_dataset
from limner.data.readers import open_source
from limner.errors import DataError


def batch(seed: int, count: int = 4, **changes) -> dict:
    data = np.random.RandomState(seed).randint(0, 256, (count, 3072)).astype(np.uint8)
    return {b"batch_label": b"training", b"labels": [int(i % 3) for i in range(count)], b"data": data} | changes


def python2_batch(values: bytes) -> bytes:
    """The pickle that Python 2 and its numpy wrote, as in the real file: byte strings and `numpy.core` names."""
    return (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05"
        b"U\x01b\x87Rq\x06(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87Rq\x08(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + len(values).to_bytes(4, "little") + values + b"tb"
        b"U\x06labelsq\x09]K\x02au."
    )


def tar(path: Path, members: dict[str, object], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, value in members.items():
            content = value if isinstance(value, bytes) else pickle.dumps(value, 2)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


META = {b"label_names": [b"airplane", b"automobile", b"bird"]}


@pytest.mark.parametrize(("name", "mode"), [("cifar-10-python.tar.gz", "w:gz"), ("cifar.tar", "w")])
def test_training_batches_are_joined_and_the_test_batch_left_out(tmp_path, name, mode):
    first, second = batch(1), batch(2, 3)
    path = tar(
        tmp_path / name,
        {
            "data_batch_2": second,
            "data_batch_1": first,
            "test_batch": batch(3),
            "batches.meta": META,
            "readme.html": b"",
        },
        mode,
    )
    dataset = open_dataset(path)
    assert (len(dataset), dataset.resolution, dataset.channels) == (7, (32, 32), 3)
    assert dataset.label_names == ("airplane", "automobile", "bird")
    assert np.array_equal(dataset.image(5).reshape(-1), second[b"data"][1])
    assert dataset.label(5).tolist() == [0, 1, 0]
    assert dataset.source.form == "CIFAR-10 python tar"


def test_a_batch_as_python_2_wrote_it_is_read(tmp_path):
    values = np.random.RandomState(4).randint(0, 256, 3072).astype(np.uint8)
    source = open_source(tar(tmp_path / "c.tar.gz", {"data_batch_1": python2_batch(values.tobytes())}))
    assert np.array_equal(decode.to_array(source.picture(0)).reshape(-1), values)
    assert source.labels is not None
    assert source.labels.values.tolist() == [2]


class Evil:
    """Would create a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["data_batch_1", "batches.meta"])
def test_a_pickle_that_wants_to_run_something_is_refused_before_it_runs(tmp_path, place):
    members = {"data_batch_1": batch(0), "batches.meta": META} | {place: {b"data": Evil(tmp_path / "was-run")}}
    with pytest.raises(DataError, match=r"is refused or damaged: it asks for 'posix\.mkdir|nt\.mkdir"):
        open_source(tar(tmp_path / "c.tar.gz", members))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"pictures.txt": b"x"}, "holds no data_batch"),
        ({"data_batch_1": b"\x80\x02garbage"}, "refused or damaged"),
        ({"data_batch_1": [1, 2]}, "got a list, expected a dictionary"),
        ({"data_batch_1": batch(0)}, "but 2 label names"),
        ({"data_batch_1": {b"labels": [1]}}, "holds no 'data' of uint8"),
        ({"data_batch_1": batch(0) | {b"labels": [0, 1]}}, "label count mismatch, expected 4"),
    ],
)
def test_a_tar_of_something_else_is_refused(tmp_path, members, message):
    members = members if "pictures.txt" in members else members | {"batches.meta": {b"label_names": [b"x", b"y"]}}
    with pytest.raises(DataError, match=message):
        open_source(tar(tmp_path / "c.tar.gz", members))


def test_a_truncated_tar_is_refused(tmp_path):
    path = tar(tmp_path / "c.tar.gz", {"data_batch_1": batch(0)})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"cannot read .* as a tar"):
        open_source(path)
