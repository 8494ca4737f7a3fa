"""Labels beside the pictures: NVIDIA's `dataset.json`, CelebA's attribute list, CSV or TSV tables, class folders.

Where one data set carries several, the first of this list wins; a file the user names wins over all of them.
NVIDIA's format: ``{"labels": [["00000/img00000000.png", 6], ...]}`` with an integer class or a list of floats for each
picture, or ``{"labels": null}``. limner adds `label_names` and `limner` beside it, which NVIDIA's readers ignore.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from limner.data.base import Labels
from limner.errors import DataError

MAX_CLASSES = 65536
"""A class number at or above this is taken for a mistake: label vectors are one-hot."""

_SHARD = re.compile(r"\d{5}")


def find_labels(
    names: Sequence[str], others: Iterable[str], text: Callable[[str], str], path: str
) -> tuple[Labels | None, str | None]:
    """Find the labels that a folder or zip carries.

    Args:
        names: pictures.
        others: the other files.
        text: reads one of them.
        path: the data set, for messages.

    Returns:
        The labels (None when there are none) and the name of the file they came from (None for class folders).

    Raises:
        DataError: a label file is malformed, misses pictures, or names pictures that do not exist.
    """
    by_depth = sorted(others, key=lambda name: (name.count("/"), name))
    for name in by_depth:
        if PurePosixPath(name).name == "dataset.json":
            return _parse_dataset_json(text(name), names, PurePosixPath(name).parent, f"{path}: {name}"), name
    for name in by_depth:
        base = PurePosixPath(name).name
        if base.startswith("list_attr") and base.endswith(".txt"):
            return _parse_attribute_list(text(name), names, f"{path}: {name}"), name
    return _class_folders(names), None


def read_label_file(path: str, names: Sequence[str], *, takes_others: bool = False) -> Labels:
    """Read labels for `names` from a `dataset.json`, an attribute list (.txt) or a table (.csv, .tsv).

    Args:
        path: the file.
        names: pictures.
        takes_others: leave out labels of other pictures, where `names` are some pictures of a data set.

    Raises:
        DataError: the file is missing, malformed, misses pictures, or names pictures that do not exist.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read the label file {path}: {error.strerror}; check the path") from None
    except UnicodeDecodeError:
        raise DataError(f"the label file {path} is not UTF-8 text; save it as UTF-8") from None
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        labels = _parse_dataset_json(text, names, PurePosixPath("."), path, takes_others)
        if labels is None:
            raise DataError(f"the label file {path} says that there are no labels; give another file or none")
        return labels
    if suffix in (".csv", ".tsv"):
        return _parse_table(text, names, path, takes_others)
    return _parse_attribute_list(text, names, path, takes_others)


def _parse_dataset_json(
    text: str, names: Sequence[str], folder: PurePosixPath, where: str, takes_others: bool = False
) -> Labels | None:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is not JSON: {error}; write it again or remove it") from None
    if not isinstance(values, dict):
        raise DataError(f"{where}: got a {type(values).__name__}, expected an object with the key 'labels'")
    rows = values.get("labels")
    if rows is None:
        return None
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in rows
    ):
        raise DataError(f"{where}: expected 'labels' to be null or a list of [file name, label] pairs")
    found = {(folder / name.replace("\\", "/")).as_posix(): label for name, label in rows}
    ordered = _in_order(found, names, where, takes_others)
    return _labels_of_values(ordered, _json_names(values.get("label_names"), where), where)


def _json_names(values: Any, where: str) -> tuple[str, ...] | None:
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DataError(f"{where}: expected 'label_names' to be a list of words")
    return tuple(values)


def _labels_of_values(values: list[Any], names: tuple[str, ...] | None, where: str) -> Labels:
    """Build labels from integers (classes) or lists of numbers (vectors), one a picture."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        low, high = min(values), max(values)
        if low < 0 or high >= MAX_CLASSES:
            raise DataError(f"{where}: got class {low if low < 0 else high}, expected 0 to {MAX_CLASSES - 1}")
        dim = max(high + 1, len(names or ()))
        if names is not None and len(names) != dim:
            raise DataError(f"{where}: got class {high}, but only {len(names)} label names")
        return Labels(kind="classes", values=np.array(values, np.int64), names=names, dim=dim)
    if not all(isinstance(value, list) for value in values):
        raise DataError(f"{where}: expected all labels to be integers or all to be lists of numbers; make them alike")
    lengths = {len(value) for value in values}
    if len(lengths) != 1 or 0 in lengths or (names is not None and len(names) not in lengths):
        expected = f"{len(names)} (the label names)" if names is not None else "one length for all"
        raise DataError(f"{where}: got label vectors of length {sorted(lengths)}, expected {expected}")
    try:
        vectors = np.array(values, np.float32)
    except (TypeError, ValueError):
        raise DataError(f"{where}: a label vector holds something that is not a number") from None
    _check_finite(vectors, where)
    return Labels(kind="attributes", values=vectors, names=names, dim=vectors.shape[1])


def _parse_attribute_list(text: str, names: Sequence[str], where: str, takes_others: bool = False) -> Labels:
    """Parse CelebA's format: the count, the attribute names, then a file name and one -1 or +1 for each attribute."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or len(lines[0]) != 1 or not lines[0][0].isdigit():
        raise DataError(
            f"{where} is no attribute list: expected the number of pictures, then a line of attribute names, then one "
            "line a picture; a table must end in .csv or .tsv"
        )
    count, attributes, rows = int(lines[0][0]), tuple(lines[1]), lines[2:]
    if count != len(rows):
        raise DataError(
            f"{where}: its first line says {count} pictures, got {len(rows)} lines; the file may be truncated"
        )
    for row in rows:
        if len(row) != len(attributes) + 1:
            raise DataError(f"{where}: got {len(row) - 1} values for '{row[0]}', expected {len(attributes)}")
    ordered = _in_order({row[0]: row[1:] for row in rows}, names, where, takes_others)
    return Labels(kind="attributes", values=_zero_one(_numbers(ordered, where)), names=attributes, dim=len(attributes))


def _parse_table(text: str, names: Sequence[str], where: str, takes_others: bool) -> Labels:
    """Parse a table with a header line: the file name, then either one column of classes or columns of numbers."""
    delimiter = "\t" if "\t" in text.split("\n", 1)[0] else ","
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise DataError(f"{where}: expected a header line and at least two columns: the file name and labels")
    columns = tuple(column.strip() for column in rows[0][1:])
    for row in rows[1:]:
        if len(row) != len(columns) + 1:
            raise DataError(f"{where}: got {len(row) - 1} values for '{row[0]}', expected {len(columns)}")
    found = {row[0].strip(): [value.strip() for value in row[1:]] for row in rows[1:]}
    ordered = _in_order(found, names, where, takes_others)
    if len(columns) > 1:
        return Labels(kind="attributes", values=_zero_one(_numbers(ordered, where)), names=columns, dim=len(columns))
    words = [row[0] for row in ordered]
    if all(word.isdigit() for word in words):
        return _labels_of_values([int(word) for word in words], None, where)
    classes = sorted(set(words))
    number = {word: i for i, word in enumerate(classes)}
    values = np.array([number[word] for word in words], np.int64)
    return Labels(kind="classes", values=values, names=tuple(classes), dim=len(classes))


def _class_folders(names: Sequence[str]) -> Labels | None:
    """Return as classes the folders right below the common one, when every picture lies in one of several such.

    NVIDIA's five-digit folders (00000, 00001, ...) are no classes.
    """
    folders = [PurePosixPath(name).parent.parts for name in names]
    common = 0
    while all(len(parts) > common for parts in folders) and len({parts[common] for parts in folders}) == 1:
        common += 1
    if not all(len(parts) > common for parts in folders):
        return None
    words = [parts[common] for parts in folders]
    classes = sorted(set(words))
    if all(_SHARD.fullmatch(word) for word in classes):
        return None
    number = {word: i for i, word in enumerate(classes)}
    values = np.array([number[word] for word in words], np.int64)
    return Labels(kind="classes", values=values, names=tuple(classes), dim=len(classes))


def _in_order(found: dict[str, Any], names: Sequence[str], where: str, takes_others: bool) -> list[Any]:
    """Return the labels in the order of `names`, matched by path, else by file name, else by name without ending."""
    ways: list[Callable[[str], str]] = [
        lambda name: name,
        lambda name: PurePosixPath(name).name,
        lambda name: PurePosixPath(name).stem,
    ]
    for way in ways:
        keyed = {way(name): label for name, label in found.items()}
        wanted = [way(name) for name in names]
        fits = keyed.keys() >= set(wanted) if takes_others else keyed.keys() == set(wanted)
        if len(keyed) == len(found) and len(set(wanted)) == len(wanted) and fits:
            return [keyed[key] for key in wanted]
    known = {PurePosixPath(name).stem for name in names}
    absent = [name for name in found if PurePosixPath(name).stem not in known]
    if absent and not takes_others:
        raise DataError(
            f"{where} labels {len(absent)} pictures that do not exist, such as '{absent[0]}' "
            f"(got {len(found)} labels for {len(names)} pictures); remove those lines or add the pictures"
        )
    labelled = {PurePosixPath(name).stem for name in found}
    missing = [name for name in names if PurePosixPath(name).stem not in labelled]
    example = missing[0] if missing else next(name for name in names if name not in found)
    raise DataError(
        f"{where}: label count mismatch, got labels for {len(found)} of {len(names)} pictures, none for '{example}'; "
        "label every picture once"
    )


def _numbers(rows: list[list[str]], where: str) -> np.ndarray:
    try:
        values = np.array(rows, dtype=np.float32)  # [N, D]
    except ValueError as error:
        raise DataError(f"{where}: expected numbers as labels: {error}") from None
    _check_finite(values, where)
    return values


def _check_finite(values: np.ndarray, where: str) -> None:
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(f"{where}: the label of picture {row} holds NaN or infinity; correct the file")


def _zero_one(values: np.ndarray) -> np.ndarray:
    """Turn the -1 and +1 of CelebA into 0 and 1; leave other numbers alone."""
    if np.isin(values, (-1.0, 1.0)).all():
        return (values + 1.0) / 2.0
    return values
