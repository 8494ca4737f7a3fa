"""Getting one large file over HTTP: resumed, checked, and there whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from limner.errors import WeightsError

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""

TIMEOUT_SEC = 30.0
"""A connection that brings nothing for this long is broken."""
ATTEMPTS = 3
"""Connections in a row that may bring nothing before giving up."""
PAUSE_SEC = 1.0
"""Wait before connecting again."""
BLOCK = 2**18
"""Bytes read at a time."""


class _Broken(Exception):
    """A connection failed in a way that may pass."""


def published_size(url: str) -> int:
    """Return the bytes of the file at `url`, as its server says; asks for one byte of it.

    Raises:
        WeightsError: the server refuses, does not say, or does not answer.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "limner", "Range": "bytes=0-0"})
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SEC if attempt else 0.0)
        try:
            with _over_network(url, lambda: urllib.request.urlopen(request, timeout=TIMEOUT_SEC)) as response:
                whole = response.status == 200
                size = response.headers.get("Content-Length" if whole else "Content-Range", "").rpartition("/")[2]
        except _Broken as broken:
            reason = str(broken)
            continue
        if not size.isdigit() or not int(size):
            raise WeightsError(f"{url}: the server does not say how large the file is; get it by hand")
        return int(size)
    raise WeightsError(f"{url}: no answer ({reason}); call again, or get the file by hand")


def download(url: str, path: Path, *, num_bytes: int, sha256: str | None, progress: Progress | None = None) -> None:
    """Download `url` to `path`.

    Until the last byte is there and the checksum right, the file is called `path` + `.part`; a later call goes on where
    the last one stopped. Of two processes that download the same file, one waits for the other.

    Args:
        url: http or https.
        path: file to write; its folder is made when it is missing.
        num_bytes: expected size.
        sha256: expected checksum; None: unknown.
        progress: told about bytes received so far and bytes in all.

    Raises:
        WeightsError: the server refuses, the connection keeps breaking, the disk is full, or another file arrives.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab") as file, _locked(file):
            if path.is_file():  # the process we waited for has finished it
                part.unlink(missing_ok=True)
                return
            _fill(url, file, num_bytes, progress or (lambda done, total: None))
            _verify(url, file, num_bytes, sha256)
            os.fsync(file.fileno())
            os.replace(part, path)
    except OSError as error:
        raise WeightsError(
            f"cannot write '{part}': {error.strerror or error}; free space there or choose another folder with "
            "XDG_CACHE_HOME"
        ) from None


def _fill(url: str, file: BinaryIO, num_bytes: int, progress: Progress) -> None:
    """Connect until `file` holds `num_bytes`, or connections bring nothing any more."""
    failures = 0
    while (start := file.tell()) < num_bytes:
        reason = "the connection was closed early"
        try:
            _receive(url, file, num_bytes, progress)
        except _Broken as broken:
            reason = str(broken)
        if file.tell() > start:
            failures = 0
            continue
        failures += 1
        if failures == ATTEMPTS:
            raise WeightsError(
                f"{url}: got {file.tell()} of {num_bytes} bytes ({reason}); call again to go on from there, or put the "
                "file in place by hand"
            )
        time.sleep(PAUSE_SEC)


def _receive(url: str, file: BinaryIO, num_bytes: int, progress: Progress) -> None:
    """Append what one connection brings; begin again when the server cannot continue."""
    start = file.tell()
    headers = {"User-Agent": "limner", **({"Range": f"bytes={start}-"} if start else {})}
    request = urllib.request.Request(url, headers=headers)
    with _over_network(url, lambda: urllib.request.urlopen(request, timeout=TIMEOUT_SEC)) as response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            _empty(file)
        if response.status == 206 and file.tell() != start:
            raise _Broken("the server sent another part than asked for")
        progress(file.tell(), num_bytes)
        while file.tell() < num_bytes and (block := _over_network(url, lambda: response.read(BLOCK))):
            file.write(block[: num_bytes - file.tell()])
            progress(file.tell(), num_bytes)


def _over_network(url: str, action: Callable[[], Any]) -> Any:
    """Return what `action` returns, telling failures that may pass (`_Broken`) from refusals."""
    try:
        return action()
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500 or error.code in (408, 416, 429):
                raise _Broken(f"the server answered {error.code} {error.reason}") from None
            raise WeightsError(
                f"{url}: the server answered {error.code} {error.reason}; get the file elsewhere and put it in place"
            ) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(getattr(error, "reason", error)) or type(error).__name__) from None


def _verify(url: str, file: BinaryIO, num_bytes: int, sha256: str | None) -> None:
    """Compare size and checksum of what was received; a wrong file is emptied, so that the next call begins anew."""
    file.flush()
    with open(file.name, "rb") as received:
        digest = hashlib.file_digest(received, "sha256").hexdigest()
    size = file.tell()
    if size == num_bytes and sha256 in (None, digest):
        return
    _empty(file)
    got = f"{size} bytes, expected" if sha256 is None else f"a file with sha256 {digest}, expected {sha256} and"
    raise WeightsError(
        f"{url}: got {got} {num_bytes} bytes; it was dropped: call again, or get the file elsewhere and put it in place"
    )


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """Hold the file alone, where the system can (Windows cannot); waits for another process that holds it."""
    if os.name != "posix":
        yield
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
    yield
