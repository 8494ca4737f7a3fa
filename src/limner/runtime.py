"""The process limner runs in: allocator, threads, device, memory, versions, paths and files that appear whole.

`setup` belongs to the command line; a library must not retune its host's process, so nothing else calls it.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch

from limner import __version__
from limner.errors import ConfigError, LimnerError

MALLOPT_SETTINGS = ((-4, 0), (-1, 2**31 - 1), (-2, 256 * 2**20))
"""glibc's M_MMAP_MAX, M_TRIM_THRESHOLD and M_TOP_PAD (mallopt(3)) and their values: freed blocks are kept for reuse.

By default every large tensor is a fresh mapping whose pages fault one by one: a synthesis at 1024 px took 3.2 s, and
1.4 s with these.
"""


def setup(threads: int | None = None) -> str:
    """Tune the memory allocator of this process, and set the number of torch's threads.

    Args:
        threads: threads of torch's operations; None leaves torch's choice.

    Returns:
        One sentence that says what was done.

    Raises:
        ConfigError: if `threads` is less than 1.
    """
    if threads is not None:
        if threads < 1:
            raise ConfigError(f"threads: got {threads}, expected at least 1; leave it out to let torch choose")
        torch.set_num_threads(threads)
    allocator = "glibc allocator tuned to keep freed memory" if _tune_allocator() else "allocator left as it is"
    return f"{allocator}, {torch.get_num_threads()} threads"


def _tune_allocator() -> bool:
    """Apply `MALLOPT_SETTINGS`; False where the C library is not glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) == 1 for option, value in MALLOPT_SETTINGS)


def select_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: `auto` (CUDA, else MPS, else CPU), `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        ConfigError: the name is not one of these, or this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in name and (kind != "cuda" or not index.isdigit())):
        raise ConfigError(f"device: got '{name}', expected auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            raise ConfigError(f"device: got '{name}', but torch sees {count} CUDA devices; use --device auto or cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device: got 'mps', but torch sees no Apple GPU; use --device auto or cpu")
    return torch.device(name)


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, MB (2^20 bytes); NaN where it cannot be read."""
    if sys.platform == "linux":
        return _proc_status_mb("VmHWM")
    if os.name == "posix":
        import resource

        scale = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, the others KB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    return math.nan


def current_memory_mb() -> float:
    """Return the resident memory of this process, MB (2^20 bytes); NaN where it cannot be read."""
    if sys.platform == "linux":
        return _proc_status_mb("VmRSS")
    if os.name == "posix":
        answer = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True
        )
        return int(answer.stdout) / 2**10
    return math.nan


def _proc_status_mb(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 2**10
    return math.nan


def version_stamp() -> dict[str, str]:
    """Return the versions that decide a result: limner, torch, python and the platform."""
    return {
        "limner": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def expand(path: str | Path) -> Path:
    """Return a path the user typed, with `~` replaced by the home folder.

    Raises:
        ConfigError: the path is empty or names a user who does not exist.
    """
    if not str(path):
        raise ConfigError("got an empty path, expected the name of a file or folder")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"path '{path}': there is no such user; write the folder out in full") from None


@contextmanager
def atomic_file(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step when the block ends; after an exception `path` is untouched.

    The folder is made when it is missing.

    Args:
        path: file to write.
        sync: flush to the disk before the replacement, so that a power cut cannot leave an empty file.

    Raises:
        OSError: the file cannot be written; the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, where the system can (Windows cannot)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> Path:
    """Write a text file in one step and return its path.

    Raises:
        LimnerError: it cannot be written.
    """
    try:
        with atomic_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise LimnerError(f"cannot write '{path}': {error.strerror}; choose another folder") from None
    return path
