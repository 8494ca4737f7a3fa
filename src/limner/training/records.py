"""Records of a run: files of JSON lines, one object a line, appended as the run goes and rewound when it resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.errors import LimnerError
from limner.runtime import atomic_file


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line; numbers that JSON cannot hold (NaN, infinities) become null.

    Raises:
        LimnerError: the file cannot be written.
    """
    line = json.dumps(_finite(record), allow_nan=False) + "\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise LimnerError(f"cannot write '{path}': {error.strerror}; free space on that disk and run again") from None


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records; none when the file does not exist. A last line cut short by a killed process is left out.

    Raises:
        LimnerError: another line is not a record.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    records = []
    for number, line in enumerate(lines, 1):
        record = _parse(line)
        if record is not None:
            records.append(record)
        elif number < len(lines):
            raise LimnerError(f"line {number} of '{path}' is no record in JSON; delete that line and run again")
    return records


def rewind(path: Path, kimg: float) -> None:
    """Drop the records beyond `kimg`, and a last line cut short, in one step; other records stay.

    Raises:
        LimnerError: a line other than the last is not a record, or the file cannot be written.
    """
    if not path.exists():
        return
    kept = [record for record in read(path) if record.get("kimg", 0.0) <= kimg + 1e-6]
    content = "".join(json.dumps(record) + "\n" for record in kept).encode()
    try:
        with atomic_file(path) as file:
            file.write(content)
    except OSError as error:
        raise LimnerError(f"cannot write '{path}': {error.strerror}; free space on that disk and run again") from None


def _parse(line: str) -> dict[str, Any] | None:
    """Return the record on `line`, or None when the line is unfinished or holds something else."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and line.endswith("\n") else None


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
