"""Several processes: they compute what one computes, and none is left behind.

Every `launch` costs seconds, so a test that starts processes checks several things at once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from limner.config import to_dict
from limner.errors import CheckpointError, ConfigError, DistributedError, NonFiniteError
from limner.training import distributed
from limner.training.distributed import Processes, join, launch, leave
from training.runs import EVERYTHING, NUM_CLASSES, assert_close_state, run, state_of, tiny, work

CPU = torch.device("cpu")
SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_NODELIST": "node[01-02]",
}
STEP = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "node[01-02]"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever started the tests started no processes of a run."""
    for name in [name for name in os.environ if name.startswith("SLURM_")] + ["RANK", "WORLD_SIZE", "LOCAL_RANK"]:
        monkeypatch.delenv(name, raising=False)


def exchange(folder: Path) -> str:
    """Body of a process: every collective once; then process 1 fails while the first waits for it."""
    processes, device = join(CPU)
    rank = processes.rank
    assert (processes.world, processes.is_first, device) == (2, rank == 0, CPU)
    assert processes.mean(torch.tensor([float(rank), 4.0])).tolist() == [0.5, 4.0]
    assert processes.sum(torch.tensor(float(rank + 1))).item() == 3.0
    assert processes.any(rank == 1, CPU)
    assert not processes.any(False, CPU)
    assert processes.is_same(2**40 + 1, CPU)
    assert not processes.is_same(2**40 + rank, CPU)

    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    for tensor in [*module.parameters(), *module.buffers()]:
        tensor.detach().fill_(rank + 1)
    processes.broadcast(module)
    assert all(torch.equal(tensor, torch.ones_like(tensor)) for tensor in module.state_dict().values())

    used, unused = (
        nn.Parameter(torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)),
        nn.Parameter(torch.zeros(4)),
    )
    (used * torch.arange(24.0).view(2, 3, 2, 2) * (1 + 2 * rank)).sum().backward()
    scalar = nn.Parameter(torch.zeros(()))
    (scalar * (1 + rank)).backward()
    processes.average_gradients([used, unused, scalar])
    assert torch.equal(used.grad, torch.arange(24.0).view(2, 3, 2, 2) * 2)
    assert scalar.grad.item() == 1.5
    assert unused.grad is None

    (folder / f"{rank}.txt").write_text(str(os.getppid()))
    processes.barrier()
    try:
        if rank == 1:
            raise CheckpointError("the disk is full")
        processes.barrier()
    finally:
        leave()
    return "never"


def test_processes_exchange_and_the_error_of_one_reaches_the_user_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first process sees that the other is gone; that is a consequence and is not what is shown."""
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    environment = dict(os.environ)
    with pytest.raises(CheckpointError, match=r"^the disk is full$"):
        launch(2, exchange, tmp_path)
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == [str(os.getpid())] * 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert dict(os.environ) == environment
    assert capfd.readouterr().err == ""


def two_runs(values: dict[str, Any], run_dir: Path, longer: dict[str, Any], other_dir: Path, other_port: int) -> str:
    """Body of a process: one run from its start, another from the state of a single process."""
    work(values, run_dir)
    os.environ["MASTER_PORT"] = str(other_port)
    work(longer, other_dir)
    return f"process {os.environ['RANK']}"


def test_two_processes_at_half_batch_compute_what_one_computes(pictures: Path, tmp_path: Path) -> None:
    """22 iterations with R1, path length, style mixing, noise, minibatch std, ADA, mirror and labels; all of the state.

    They end between two adjustments of p. Then both ways to go on: two processes from the state of one, and one from
    the state of two. Adam divides by the gradient's size, so the rounding of a gradient near zero, which depends on the
    processor, would become a whole step; its epsilon is large enough here to keep rounding small.
    """
    settings = EVERYTHING | {"batch": 16, "c_dim": NUM_CLASSES, "callbacks__names": "log", "optimizer__eps": 1e-3}
    config, longer = (tiny(pictures, iterations, **settings) for iterations in (22, 24))
    expected = run(config, tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "one-then-two")
    port = distributed._free_port()
    result = launch(2, two_runs, to_dict(config), tmp_path / "two", to_dict(longer), tmp_path / "one-then-two", port)
    assert result == "process 0"
    assert_close_state(state_of(tmp_path / "two"), expected)
    assert float(expected["augment_p"]) > 0.1, "augmentation took part"
    assert float(expected["augment_stats"][1]) == 2
    lines = (tmp_path / "two" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["tick"] for line in lines] == [1, 2, 3, 4, 4], "the first process alone writes"

    expected = run(longer, tmp_path / "one")
    assert_close_state(state_of(tmp_path / "one-then-two"), expected)
    assert_close_state(run(longer, tmp_path / "two"), expected)


def test_a_process_that_dies_ends_the_run_with_one_sentence_and_the_run_can_go_on(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tiny(pictures, 1000, callbacks__tick_kimg=0.008)
    with pytest.raises(DistributedError) as caught:
        launch(2, work, to_dict(config), tmp_path / "run", 3)
    assert str(caught.value) == (
        "process 1 of 2 ended with exit code 9; run the same command again to go on from the last saved state"
    )
    assert capfd.readouterr().err == ""
    assert state_of(tmp_path / "run")["iteration"] == 2
    assert run(tiny(pictures, 4, callbacks__tick_kimg=0.008), tmp_path / "run")["iteration"] == 4


def test_sigterm_to_the_launcher_stops_every_process_at_the_same_iteration(pictures: Path, tmp_path: Path) -> None:
    config = tiny(pictures, 10_000, callbacks__names="log", callbacks__tick_kimg=0.016, **EVERYTHING)
    log = tmp_path / "run" / "log.jsonl"

    def stop_after_a_tick() -> None:
        while not log.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop_after_a_tick, daemon=True)
    thread.start()
    launch(2, work, to_dict(config), tmp_path / "run")
    thread.join()
    state = state_of(tmp_path / "run")
    done = [int((tmp_path / f"iterations-{rank}.txt").read_text()) for rank in (0, 1)]
    assert done == [state["iteration"]] * 2
    assert 2 <= done[0] < 10_000
    more = done[0] + 2
    expected = run(tiny(pictures, more, callbacks__tick_kimg=0.016, **EVERYTHING), tmp_path / "one")
    resumed = run(tiny(pictures, more, callbacks__tick_kimg=0.016, **EVERYTHING), tmp_path / "run")
    assert_close_state(resumed, expected, tolerance=1e-4)


def test_an_error_that_every_process_raised_is_shown_once_and_before_its_consequences() -> None:
    lost = DistributedError("another process of the run has ended")
    same = [NonFiniteError("phase D: not finite") for _ in range(2)]
    outcomes = [distributed._Outcome(error=error) for error in (lost, *same)]
    dead = distributed._Outcome(death="process 2 of 3 ended with exit code 1")
    assert distributed._root_cause([*outcomes, dead]) is same[0]
    assert str(distributed._root_cause([outcomes[0], dead])).startswith("process 2 of 3 ended with exit code 1; run")
    assert distributed._root_cause([outcomes[0]]) is lost


def test_without_a_launcher_a_process_is_alone() -> None:
    assert not distributed.is_launched()
    assert distributed.num_launched() == 1
    processes, device = join(CPU)
    assert (processes, device) == (Processes(0, 1), CPU)
    tensor = torch.tensor([2.0])
    assert processes.mean(tensor) is tensor
    assert processes.sum(tensor) is tensor
    assert processes.any(True, CPU)
    assert not processes.any(False, CPU)
    assert processes.is_same(3, CPU)


def test_one_process_under_a_launcher_is_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert distributed.num_launched() == 1
    assert join(CPU) == (Processes(0, 1), CPU)


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node[01-02]", "node01"),
        ("node[007,9-12]", "node007"),
        ("gpu-a3,gpu-b[1-4]", "gpu-a3"),
        ("login", "login"),
        ("n[1-2]c,m3", "n1c"),
        ("rack2-node[3]", "rack2-node3"),
    ],
)
def test_tasks_of_srun_meet_at_the_first_host(hosts: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SLURM | STEP | {"SLURM_STEP_NODELIST": hosts}).items():
        monkeypatch.setenv(name, value)
    assert distributed.is_launched()
    assert distributed.num_launched() == 4
    assert distributed._slurm_environment() == {
        "RANK": "3",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": first,
        "MASTER_PORT": str(20000 + 123456 % 20000),
    }


def test_a_batch_script_of_slurm_is_no_task_of_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the number of tasks and a task number of its own, but nothing started the others."""
    for name, value in (SLURM | {"SLURM_PROCID": "0"}).items():
        monkeypatch.setenv(name, value)
    assert not distributed.is_launched()


def test_torchrun_inside_of_srun_counts_its_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SLURM | STEP | {"RANK": "5", "WORLD_SIZE": "16"}).items():
        monkeypatch.setenv(name, value)
    assert distributed.num_launched() == 16


def test_more_processes_than_gpus_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"CUDA device 2, but torch sees 2.*start fewer"):
        join(torch.device("cuda"))
    with pytest.raises(ConfigError, match="several processes on mps, expected cpu or cuda"):
        join(torch.device("mps"))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1, "ended with exit code 1"),
        (-11, "was ended by SIGSEGV"),
        (-9, "was ended by SIGKILL, often for lack of memory"),
    ],
)
def test_how_a_process_ended_is_said_in_words(code: int, text: str) -> None:
    assert distributed._exit_text(code) == text


def test_the_loss_of_another_process_is_said_without_the_source_file_of_a_library() -> None:
    with pytest.raises(DistributedError) as caught, distributed._naming_death():
        raise RuntimeError("[/build/tcp/pair.cc:553] Connection closed by peer [10.0.0.2]:99. This is typical.\nMore")
    assert str(caught.value) == (
        "another process of the run has ended (Connection closed by peer [10.0.0.2]:99); "
        "run the same command again to go on from the last saved state"
    )
