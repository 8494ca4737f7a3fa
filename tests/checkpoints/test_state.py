"""Training states: exact, verified, and never lost to a failed write."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from limner.checkpoints.state import load_latest_state, save_state
from limner.errors import CheckpointError


def trained(seed: int = 0) -> tuple[nn.Module, torch.optim.Adam]:
    """A channels-last network and its optimiser after a step."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 1, 3)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    return module, optimizer


def tree(seed: int = 0) -> dict[str, Any]:
    module, optimizer = trained(seed)
    return {
        "networks": {"G": module.state_dict()},
        "optimizers": {"G": optimizer.state_dict()},
        "rng": torch.Generator().manual_seed(seed).get_state(),
        "nimg": 2000 + seed,
        "elapsed_sec": 0.1 + 0.2,
        "best": None,
        "flags": [True, ("text", 3)],
    }


def assert_same(got: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert got.dtype == expected.dtype
        assert torch.equal(got, expected)
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert type(got) is type(expected)
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert type(got) is type(expected)
        assert got == expected


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_run_without_a_state_has_none(tmp_path: Path) -> None:
    assert load_latest_state(tmp_path) is None
    assert load_latest_state(tmp_path / "nowhere") is None


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = tree()
    path = save_state(tmp_path, saved)
    assert path == tmp_path / "state" / "00000001.pt"
    assert_same(load_latest_state(tmp_path), saved)


def test_training_goes_on_exactly_from_a_state(tmp_path: Path) -> None:
    def step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        module(torch.linspace(-1, 1, 192).view(1, 3, 8, 8)).square().mean().backward()
        optimizer.step()

    module, optimizer = trained(0)
    save_state(tmp_path, {"G": module.state_dict(), "optimizer": optimizer.state_dict()})
    step(module, optimizer)
    state = load_latest_state(tmp_path)
    assert state is not None
    other, other_optimizer = trained(1)
    other.load_state_dict(state["G"])
    other_optimizer.load_state_dict(state["optimizer"])
    step(other, other_optimizer)
    assert_same(other.state_dict(), dict(module.state_dict()))


def test_a_state_is_plain_data(tmp_path: Path) -> None:
    path = save_state(tmp_path, {"networks": OrderedDict(G=torch.ones(3, requires_grad=True))})
    loaded = torch.load(path, weights_only=True)
    assert type(loaded["networks"]) is dict
    assert not loaded["networks"]["G"].requires_grad


def test_a_small_view_does_not_drag_its_whole_storage_along(tmp_path: Path) -> None:
    path = save_state(tmp_path, {"view": torch.zeros(1_000_000)[:10]})
    assert path.stat().st_size < 10_000


@pytest.mark.parametrize("value", [np.float64(1), np.zeros(2), Path("a"), {1, 2}, object()])
def test_what_cannot_be_read_back_is_refused_by_name(tmp_path: Path, value: object) -> None:
    with pytest.raises(TypeError, match=rf"'a\.b\[1\]' is {type(value).__name__}, expected a tensor or a plain value"):
        save_state(tmp_path, {"a": {"b": [0, value]}})
    assert not (tmp_path / "state").exists()


def test_the_last_two_states_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    leftover = tmp_path / "state" / ".00000001.pt.77.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"of a killed process")
    for seed in range(4):
        save_state(tmp_path, tree(seed))
    assert sorted(os.listdir(tmp_path / "state")) == ["00000003.pt", "00000004.pt", "index.json"]
    assert_same(load_latest_state(tmp_path), tree(3))


def test_a_damaged_newest_state_falls_back_loudly(tmp_path: Path) -> None:
    save_state(tmp_path, tree(0))
    damage(save_state(tmp_path, tree(1)))
    message = r"00000002\.pt is damaged \(its checksum is wrong\): resuming from the state before it, 00000001\.pt"
    with pytest.warns(UserWarning, match=message):
        state = load_latest_state(tmp_path)
    assert_same(state, tree(0))


def test_a_deleted_newest_state_falls_back_loudly(tmp_path: Path) -> None:
    save_state(tmp_path, tree(0))
    save_state(tmp_path, tree(1)).unlink()
    with pytest.warns(UserWarning, match=r"00000002\.pt is missing: resuming from the state before it"):
        assert_same(load_latest_state(tmp_path), tree(0))


def test_a_file_with_the_right_checksum_that_is_no_state_is_damaged_too(tmp_path: Path) -> None:
    save_state(tmp_path, tree(0))
    newest = save_state(tmp_path, tree(1))
    newest.write_bytes(b"no state")
    index = json.loads((tmp_path / "state/index.json").read_text())
    index["files"][1]["sha256"] = hashlib.sha256(b"no state").hexdigest()
    (tmp_path / "state/index.json").write_text(json.dumps(index))
    with pytest.warns(UserWarning, match=r"00000002\.pt cannot be read"):
        assert_same(load_latest_state(tmp_path), tree(0))


def test_when_every_state_is_damaged_the_run_stops(tmp_path: Path) -> None:
    for seed in range(2):
        damage(save_state(tmp_path, tree(seed)))
    with pytest.raises(CheckpointError, match=r"no training state .* can be used \(00000002\.pt .*00000001\.pt .*\)"):
        load_latest_state(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "state", "format": 2}'])
def test_a_damaged_index_is_named(tmp_path: Path, text: str) -> None:
    save_state(tmp_path, tree())
    (tmp_path / "state/index.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"index\.json' (cannot be read|is not a list of training states)"):
        load_latest_state(tmp_path)


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "torch.save", "limner.runtime.open"])
def test_a_full_disk_keeps_the_previous_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    save_state(tmp_path, tree(0))
    before = sorted(os.listdir(tmp_path / "state"))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(broken, full, raising=False)
        with pytest.raises(CheckpointError, match="No space left on device; the previous state is kept: free space"):
            save_state(tmp_path, tree(1))
    assert sorted(os.listdir(tmp_path / "state")) == before
    assert_same(load_latest_state(tmp_path), tree(0))
    assert save_state(tmp_path, tree(2)).name == "00000002.pt"


def test_a_failure_between_state_and_index_keeps_the_previous_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path, tree(0))
    rename = os.replace

    def fail_for_the_index(source: Path, target: Path) -> None:
        if Path(target).name == "index.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail_for_the_index)
        with pytest.raises(CheckpointError, match="the previous state is kept"):
            save_state(tmp_path, tree(1))
    assert_same(load_latest_state(tmp_path), tree(0))
    save_state(tmp_path, tree(2))
    assert_same(load_latest_state(tmp_path), tree(2))


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_disk_that_refuses_more_bytes_keeps_the_previous_state(tmp_path: Path) -> None:
    code = f"""
import resource, torch
from pathlib import Path
from limner.checkpoints.state import load_latest_state, save_state
from limner.errors import CheckpointError
run = Path({str(tmp_path)!r})
save_state(run, {{"a": torch.arange(3)}})
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
try:
    save_state(run, {{"a": torch.zeros(100000)}})
except CheckpointError as error:
    print(error)
print(load_latest_state(run)["a"].tolist())
"""
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    sentence, loaded = answer.stdout.splitlines()
    assert "File too large; the previous state is kept" in sentence
    assert loaded == "[0, 1, 2]"
    assert sorted(os.listdir(tmp_path / "state")) == ["00000001.pt", "index.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_the_previous_state(tmp_path: Path) -> None:
    code = f"""
import os, signal, torch
from pathlib import Path
from limner.checkpoints.state import save_state
run = Path({str(tmp_path)!r})
save_state(run, {{"a": torch.arange(3)}})
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
save_state(run, {{"a": torch.zeros(100000)}})
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(name.endswith(".tmp") for name in os.listdir(tmp_path / "state"))
    state = load_latest_state(tmp_path)
    assert state is not None
    assert state["a"].tolist() == [0, 1, 2]
    save_state(tmp_path, tree())
    assert sorted(os.listdir(tmp_path / "state")) == ["00000001.pt", "00000002.pt", "index.json"]
