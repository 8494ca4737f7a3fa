"""Proof that reading a file ran nothing and cost little."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from limner.checkpoints.official.layouts import recognise
from limner.checkpoints.official.reader import read
from limner.checkpoints.official.records import Array
from limner.errors import CheckpointError

FORBIDDEN = ("import", "compile", "exec", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.", "marshal.")
"""Beginnings of the events of Python's audit that reading never causes."""
WATCHED: list[list[str]] = []
"""Events seen, while a canary sits; the last list is the innermost one's."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    is_writing = event == "open" and isinstance(arguments[1], str) and any(sign in arguments[1] for sign in "wax+")
    if WATCHED and (event.startswith(FORBIDDEN) or is_writing):
        WATCHED[-1].append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_audit)
for _codec in ("cp437", "raw-unicode-escape"):  # Python imports a codec when it is first needed
    b"x".decode(_codec)


@contextmanager
def canary() -> Iterator[None]:
    """Fail if anything is imported, compiled, executed, started, or opened for writing while entered."""
    WATCHED.append([])
    try:
        yield
    finally:
        seen = WATCHED.pop()
    if seen:
        pytest.fail(f"while reading: {seen}")


def try_reading(path: Path) -> tuple[Any, int]:
    """Read and recognise a file under the canary's eyes.

    Returns:
        the value, or the `CheckpointError`; and the peak of memory allocated by Python, bytes.
    """
    tracemalloc.start()
    try:
        with canary():
            try:
                value, quota = read(path)
                if not isinstance(value, Array):
                    recognise(str(path), value, quota)
            except CheckpointError as error:
                value = error
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refuse(path: Path, content: bytes, match: str = "") -> None:
    """Check that reading `content` ends in a sentence of one line, and quickly."""
    path.write_bytes(content)
    value, peak = try_reading(path)
    assert isinstance(value, CheckpointError), value
    assert "\n" not in str(value)
    assert len(str(value)) < 400 + len(str(path))
    assert peak < 2**26
    if match:
        with pytest.raises(CheckpointError, match=match):
            raise value
