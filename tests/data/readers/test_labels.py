"""Labels in every form, and every way in which they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limner.data.readers import open_source, read_label_file
from limner.errors import DataError

from ..conftest import Pictures, picture

NAMES = ["000001.jpg", "000002.jpg", "000003.jpg"]
LIST = "3\nSmiling Bald\n000001.jpg -1  1\n000002.jpg  1 -1\n000003.jpg  1  1\n"


def three(folder: str = "") -> dict:
    return {folder + name: picture(i) for i, name in enumerate(NAMES)}


def labels_of(path, labels=None):
    source = open_source(path, labels)
    assert source.labels is not None
    return source.labels


def test_integers_of_dataset_json_are_classes(pictures: Pictures):
    labels = labels_of(pictures.zip(pictures.nvidia(3, labels=[0, 4, 2])))
    assert (labels.kind, labels.dim, labels.names) == ("classes", 5, None)
    assert labels.values.tolist() == [0, 4, 2]


def test_lists_of_dataset_json_are_vectors_and_our_names_are_read(pictures: Pictures):
    files = pictures.nvidia(2, labels=[[0.0, 1.5], [1.0, -2.0]])
    files["dataset.json"] = json.dumps(json.loads(files["dataset.json"]) | {"label_names": ["left", "right"]})
    labels = labels_of(pictures.zip(files))
    assert (labels.kind, labels.dim, labels.names) == ("attributes", 2, ("left", "right"))
    assert labels.values.tolist() == [[0.0, 1.5], [1.0, -2.0]]


def test_null_labels_mean_none_even_beside_class_folders(pictures: Pictures):
    files = {"cat/a.png": picture(0), "dog/b.png": picture(1), "dataset.json": '{"labels": null}'}
    assert open_source(pictures.zip(files)).labels is None


def test_dataset_json_may_lie_in_the_one_top_folder_and_use_backslashes(pictures: Pictures):
    rows = [["00000\\a.png", 1], ["00000\\b.png", 0]]
    files = {"set/00000/a.png": picture(0), "set/00000/b.png": picture(1)}
    files["set/dataset.json"] = json.dumps({"labels": rows})
    assert labels_of(pictures.zip(files)).values.tolist() == [1, 0]


def test_a_celeba_list_beside_the_pictures_becomes_zeros_and_ones(pictures: Pictures):
    files = {**three("img_align_celeba/"), "list_attr_celeba.txt": LIST}
    labels = labels_of(pictures.folder(files))
    assert (labels.kind, labels.names) == ("attributes", ("Smiling", "Bald"))
    assert labels.values.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert labels.counts() == {"Smiling": 2, "Bald": 2}


def test_a_label_file_matches_by_name_without_ending(pictures: Pictures):
    folder = pictures.folder({f"png/{name[:-4]}.png": picture(i) for i, name in enumerate(NAMES)})
    (pictures.root / "attributes.txt").write_text(LIST)
    assert labels_of(folder, pictures.root / "attributes.txt").values.tolist() == [[0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("text", "kind", "names", "values"),
    [
        ("file,kind\n000001.jpg,cat\n000002.jpg,ape\n000003.jpg,cat\n", "classes", ("ape", "cat"), [1, 0, 1]),
        ("file,kind\n000003.jpg,0\n000002.jpg,3\n000001.jpg,1\n", "classes", None, [1, 3, 0]),
        (
            "file,x,y\n000001.jpg,-1,1\n000002.jpg,1,1\n000003.jpg,1,-1\n",
            "attributes",
            ("x", "y"),
            [[0, 1], [1, 1], [1, 0]],
        ),
        (
            "file\tx\ty\n000001.jpg\t.5\t2\n000002.jpg\t0\t1\n000003.jpg\t1\t1\n",
            "attributes",
            ("x", "y"),
            [[0.5, 2], [0, 1], [1, 1]],
        ),
    ],
)
def test_tables_hold_classes_or_numbers(pictures: Pictures, text, kind, names, values):
    (pictures.root / "labels.csv").write_text(text)
    labels = labels_of(pictures.folder(three()), pictures.root / "labels.csv")
    assert (labels.kind, labels.names) == (kind, names)
    assert np.allclose(labels.values, values)


def test_class_folders_become_classes_below_the_common_folder(pictures: Pictures):
    files = {"data/dog/a.png": picture(0), "data/cat/x/b.png": picture(1), "data/cat/c.png": picture(2)}
    labels = labels_of(pictures.folder(files))
    assert (labels.kind, labels.names) == ("classes", ("cat", "dog"))
    assert labels.values.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "names",
    [["00000/a.png", "00001/b.png"], ["cat/a.png", "b.png"], ["cat/a.png", "cat/b.png"], ["a.png", "b.png"]],
)
def test_numbered_folders_and_loose_pictures_are_no_classes(pictures: Pictures, names):
    assert open_source(pictures.folder({name: picture(0) for name in names})).labels is None


def test_labels_for_pictures_that_do_not_exist_are_refused(pictures: Pictures):
    files = pictures.nvidia(3, labels=[0, 1, 2])
    del files["00000/img00000001.png"]
    with pytest.raises(DataError, match=r"labels 1 pictures that do not exist, such as '00000/img00000001\.png'"):
        open_source(pictures.zip(files))


def test_pictures_without_a_label_are_refused(pictures: Pictures):
    files = pictures.nvidia(3, labels=[0, 1, 2])
    files["00000/img00000007.png"] = picture(7)
    with pytest.raises(DataError, match=r"label count mismatch, got labels for 3 of 4 pictures, none for '.*7\.png'"):
        open_source(pictures.zip(files))


def test_two_pictures_of_one_name_cannot_share_a_label(pictures: Pictures):
    files = {"a/000001.jpg": picture(0), "b/000001.jpg": picture(1), "list_attr.txt": "1\nBald\n000001.jpg 1\n"}
    with pytest.raises(DataError, match="label count mismatch"):
        open_source(pictures.folder(files))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected an object"),
        ('{"labels": [["a.png"]]}', r"list of \[file name, label\] pairs"),
        ('{"labels": [["a.png", 0], ["b.png", [1.0]]]}', "all labels to be integers or all to be lists"),
        ('{"labels": [["a.png", [1.0]], ["b.png", [1.0, 2.0]]]}', r"length \[1, 2\], expected one length"),
        ('{"labels": [["a.png", []], ["b.png", []]]}', r"length \[0\]"),
        ('{"labels": [["a.png", [NaN]], ["b.png", [1.0]]]}', "picture 0 holds NaN"),
        ('{"labels": [["a.png", ["x"]], ["b.png", ["y"]]]}', "not a number"),
        ('{"labels": [["a.png", -1], ["b.png", 0]]}', "got class -1"),
        ('{"labels": [["a.png", 99999999], ["b.png", 0]]}', "got class 99999999"),
        ('{"labels": [["a.png", 2], ["b.png", 0]], "label_names": ["x"]}', "only 1 label names"),
        ('{"labels": [["a.png", 0], ["b.png", 0]], "label_names": "x"}', "list of words"),
    ],
)
def test_a_malformed_dataset_json_is_refused(pictures: Pictures, text, message):
    with pytest.raises(DataError, match=message):
        open_source(pictures.zip({"a.png": picture(0), "b.png": picture(1), "dataset.json": text}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", LIST.replace("3\n", "9\n", 1), "says 9 pictures, got 3 lines"),
        ("l.txt", LIST.replace("  1  1", "  1"), r"got 1 values for '000003\.jpg', expected 2"),
        ("l.txt", "hello\nworld\n", "is no attribute list"),
        ("l.txt", LIST.replace("-1", "no"), "expected numbers"),
        ("l.txt", LIST.replace("-1", "nan"), "NaN or infinity"),
        ("l.csv", "file\n000001.jpg\n", "at least two columns"),
        ("l.csv", "file,x\n000001.jpg,1,2\n", r"got 2 values for '000001\.jpg', expected 1"),
        ("l.json", '{"labels": null}', "says that there are no labels"),
    ],
)
def test_a_malformed_label_file_is_refused(pictures: Pictures, name, text, message):
    (pictures.root / name).write_text(text)
    with pytest.raises(DataError, match=message):
        open_source(pictures.folder(three()), pictures.root / name)


def test_a_missing_label_file_is_named(pictures: Pictures):
    with pytest.raises(DataError, match=r"cannot read the label file .*none\.csv: No such file"):
        open_source(pictures.folder(three()), pictures.root / "none.csv")


@pytest.mark.parametrize("suffix", ["csv", "txt", "json"])
def test_some_pictures_of_a_data_set_find_their_labels(tmp_path: Path, suffix: str) -> None:
    texts = {
        "csv": "file,hat,beard\nx/a.png,1,0\nx/b.png,0,1\nx/c.png,1,1\n",
        "txt": "3\nhat beard\nx/a.png 1 -1\nx/b.png -1 1\nx/c.png 1 1\n",
        "json": '{"labels": [["x/a.png", [1, 0]], ["x/b.png", [0, 1]], ["x/c.png", [1, 1]]]}',
    }
    path = tmp_path / f"labels.{suffix}"
    path.write_text(texts[suffix])
    labels = read_label_file(str(path), ["c", "a"], takes_others=True)
    assert labels.vectors(np.arange(2)).tolist() == [[1, 1], [1, 0]]
    with pytest.raises(DataError, match="labels 1 pictures that do not exist"):
        read_label_file(str(path), ["c", "a"])
    with pytest.raises(DataError, match="none for 'd'"):
        read_label_file(str(path), ["c", "d"], takes_others=True)
