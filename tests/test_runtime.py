"""The process: allocator, device, memory, versions, paths and files that appear whole."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import limner
from limner import runtime
from limner.errors import ConfigError


def in_a_process(code: str) -> list[str]:
    """Run `code` in a fresh interpreter and return the lines it prints."""
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def test_setup_tunes_the_allocator_and_the_threads_and_says_so() -> None:
    says, threads = in_a_process(
        "import torch; from limner import runtime; print(runtime.setup(threads=3)); print(torch.get_num_threads())"
    )
    assert says.endswith("3 threads")
    assert threads == "3"
    assert says.startswith("glibc allocator tuned" if platform.libc_ver()[0] == "glibc" else "allocator left")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is tuned on glibc alone")
def test_after_setup_a_large_tensor_reuses_pages_instead_of_faulting() -> None:
    code = """
import resource, torch
from limner import runtime
torch.set_num_threads(1)
{setup}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.empty(2**22).fill_(1)  # 16 MB, 4096 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(3):
    faults()
print(faults())
"""
    tuned = int(in_a_process(code.format(setup="print(runtime.setup())"))[1])
    assert tuned < 4096


def test_a_c_library_that_is_not_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert runtime.setup().startswith("allocator left as it is")


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(ConfigError, match="threads: got 0, expected at least 1"):
        runtime.setup(threads=0)


def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert runtime.select_device() == torch.device("cpu")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert runtime.select_device("auto") == torch.device("mps")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert runtime.select_device("auto") == torch.device("cuda")
    assert runtime.select_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match="got 'cuda:2', but torch sees 2 CUDA devices"):
        runtime.select_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:0", "cuda1", "", "mps:0", "cuda:-1"])
def test_a_name_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda, cuda:N or mps"):
        runtime.select_device(name)


def test_a_device_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch sees 0 CUDA devices; use --device auto or cpu"):
        runtime.select_device("cuda")
    with pytest.raises(ConfigError, match="no Apple GPU"):
        runtime.select_device("mps")


@pytest.mark.skipif(os.name != "posix", reason="memory is read on POSIX systems")
def test_the_peak_remembers_memory_that_was_freed() -> None:
    code = """
from limner import runtime
a = runtime.current_memory_mb()
block = bytearray(b'x') * (300 * 2**20)
b = runtime.current_memory_mb()
del block
print(a, b, runtime.current_memory_mb(), runtime.peak_memory_mb())
"""
    before, during, after, peak = map(float, in_a_process(code)[0].split())
    assert during - before == pytest.approx(300, abs=20)
    assert after - before < 50
    assert peak >= during - 1


def test_the_version_stamp_names_what_decides_a_result() -> None:
    stamp = runtime.version_stamp()
    assert stamp["limner"] == limner.__version__
    assert stamp["torch"] == torch.__version__
    assert set(stamp) == {"limner", "torch", "python", "platform"}
    assert all(type(value) is str and value for value in stamp.values())


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert runtime.expand("~/runs") == tmp_path / "runs"
    assert runtime.expand(Path("a/~b")) == Path("a/~b")


def test_an_empty_path_and_an_unknown_user_are_refused() -> None:
    with pytest.raises(ConfigError, match="got an empty path"):
        runtime.expand("")
    with pytest.raises(ConfigError, match="no such user"):
        runtime.expand("~nobody-of-that-name/x")


def test_an_atomic_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    with runtime.atomic_file(path, sync=True) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_atomic_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), runtime.atomic_file(path) as file:
        file.write([b"half", "no bytes"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_the_package_imports_no_torch() -> None:
    modules = in_a_process("import limner, sys; print(limner.__version__); print('torch' in sys.modules)")
    assert modules == [limner.__version__, "False"]


def test_the_package_gives_its_four_names_and_no_others() -> None:
    from limner.papers.base import Generator

    assert limner.Generator is Generator
    assert set(limner.__all__) == {"Generator", "__version__", "load", "presets"}
    assert set(limner.__all__) <= set(dir(limner))
    with pytest.raises(AttributeError, match="no attribute 'stylegan'"):
        limner.stylegan  # noqa: B018
