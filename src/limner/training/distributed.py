"""Processes of a run: joining, launching, and averaging gradients.

Gradients are flattened and all-reduced once per phase; there is no module wrapper, so double backward, unused
parameters and growing networks need nothing special. Backend: nccl on CUDA, gloo elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from limner.errors import ConfigError, DistributedError, LimnerError

TIMEOUT = timedelta(hours=2)
"""A process that others have waited for this long is taken for dead; they wait while the first one measures and writes.
A process that ends is noticed at once."""
GRACE_SEC = 20.0
"""Time for the processes started by `launch` to follow one that failed, before they are killed."""
RESUME_ADVICE = "run the same command again to go on from the last saved state"


@dataclass(frozen=True)
class Processes:
    """This process among those of the run."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def mean(self, tensor: Tensor) -> Tensor:
        """Average a tensor over processes."""
        if self.world == 1:
            return tensor
        return self._reduced(tensor, dist.ReduceOp.SUM) / self.world

    def sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over processes."""
        return tensor if self.world == 1 else self._reduced(tensor, dist.ReduceOp.SUM)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether `flag` is set in any process."""
        if self.world == 1:
            return flag
        return bool(self._reduced(torch.tensor(float(flag), device=device), dist.ReduceOp.MAX).item())

    def is_same(self, number: int, device: torch.device) -> bool:
        """Whether all processes hold the same number."""
        if self.world == 1:
            return True
        largest, negated_smallest = self._reduced(torch.tensor([number, -number], device=device), dist.ReduceOp.MAX)
        return bool(largest == -negated_smallest)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their means over processes, in one exchange.

        A parameter that a phase does not use has no gradient in any process, and keeps none: Adam then leaves it alone.
        """
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, module: nn.Module) -> None:
        """Copy the first process's parameters and buffers to all."""
        if self.world == 1:
            return
        with _naming_death():
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.detach(), 0)

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            with _naming_death():
                dist.barrier()

    def _reduced(self, tensor: Tensor, operation: Any) -> Tensor:
        result = tensor.detach().clone()
        with _naming_death():
            dist.all_reduce(result, operation)
        return result


@contextmanager
def _naming_death() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[\S+\] ", "", str(error)).splitlines()[0].split(". ")[0][:160]  # [source file] goes
        raise DistributedError(f"another process of the run has ended ({reason}); {RESUME_ADVICE}") from None


def is_launched() -> bool:
    """Whether a launcher (torchrun, srun, or `launch`) started this process as one of several."""
    return "RANK" in os.environ or bool(_slurm_environment())


def num_launched() -> int:
    """Return how many processes a launcher started; 1 when there is none."""
    return int((_slurm_environment() | dict(os.environ)).get("WORLD_SIZE", "1"))


def launched_rank() -> int:
    """Return this process's number among those a launcher started; 0 when there is none."""
    return int((_slurm_environment() | dict(os.environ)).get("RANK", "0"))


def join(device: torch.device) -> tuple[Processes, torch.device]:
    """Join the processes that a launcher started; alone when there is none.

    Args:
        device: where to compute; `cuda` without a number becomes this process's own.

    Raises:
        ConfigError: this process has no device of its own.
        DistributedError: the others cannot be reached.
    """
    if "RANK" not in os.environ:
        os.environ.update(_slurm_environment())
    rank, world = int(os.environ.get("RANK", "0")), num_launched()
    if world == 1:
        return Processes(), device
    device = _own_device(device)
    with _naming_death():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    return Processes(rank, world), device


def _slurm_environment() -> dict[str, str]:
    """Return what torch.distributed reads, made from what srun tells each of several tasks of a job step; else nothing.

    A batch script itself has SLURM_PROCID and SLURM_NTASKS too but no SLURM_STEP_NUM_TASKS. The first host of the step
    runs the first task and is the meeting point.
    """
    world = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if world == "1" or "SLURM_PROCID" not in os.environ:
        return {}
    hosts = os.environ.get("SLURM_STEP_NODELIST", "127.0.0.1")  # node[03-05,9],other7
    first = re.sub(r"\[(\w+)[^\]]*\]", r"\1", hosts).split(",")[0]
    return {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": world,
        "LOCAL_RANK": os.environ.get("SLURM_LOCALID", "0"),
        "MASTER_ADDR": os.environ.get("MASTER_ADDR", first),
        "MASTER_PORT": os.environ.get("MASTER_PORT", str(20000 + int(os.environ.get("SLURM_JOB_ID", "0")) % 20000)),
    }


def _own_device(device: torch.device) -> torch.device:
    """Return this process's own device, and share the processor out where processes compute on it."""
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"got a process for CUDA device {local_rank}, but torch sees {torch.cuda.device_count()} on this "
                "machine; start fewer processes there (--gpus)"
            )
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    elif device.type != "cpu":
        raise ConfigError(f"got several processes on {device.type}, expected cpu or cuda; leave out --gpus and --nproc")
    elif "LOCAL_WORLD_SIZE" in os.environ and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max((os.cpu_count() or 1) // int(os.environ["LOCAL_WORLD_SIZE"]), 1))
    return device


def leave() -> None:
    """Leave the processes of the run."""
    if dist.is_initialized():
        dist.destroy_process_group()


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """How a process ended: exactly one of these unless it returned None."""

    result: Any = None
    error: LimnerError | None = None
    death: str = ""

    @property
    def is_failure(self) -> bool:
        return self.error is not None or bool(self.death)


def launch(num_processes: int, entry: Callable[..., Any], *args: Any) -> Any:
    """Run `entry(*args)` in `num_processes` processes of this machine and return the first one's result.

    SIGTERM and Ctrl-C are passed on as SIGTERM, and the processes are waited for; a second Ctrl-C ends them at once.
    They also get SIGTERM when this process dies.

    Args:
        num_processes: how many.
        entry: a module-level function; it calls `join` itself.
        args: passed on; must be picklable.

    Raises:
        DistributedError: a process died; the others were ended.
        LimnerError: what a process raised first, other than for the loss of another.
    """
    context = multiprocessing.get_context("spawn")
    port = str(_free_port())
    workers: list[BaseProcess] = []
    receivers: list[connection.Connection] = []
    try:
        with _ignoring_interrupts():
            for rank in range(num_processes):
                names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
                values = (str(rank), str(num_processes), str(rank), str(num_processes), "127.0.0.1", port)
                receiver, sender = context.Pipe(duplex=False)
                environment = dict(zip(names, values, strict=True))
                worker = context.Process(target=_work, args=(sender, environment, entry, args), daemon=True)
                worker.start()
                sender.close()  # the worker holds the only other end, so its death ends the pipe
                workers.append(worker)
                receivers.append(receiver)
        with _passing_stops(workers):
            outcomes = _gather(workers, receivers)
    except KeyboardInterrupt:
        for started in workers:
            started.kill()
        raise
    finally:
        _end(workers)
    failures = [outcome for outcome in outcomes.values() if outcome.is_failure]
    if failures:
        raise _root_cause(failures)
    return outcomes[0].result


def _root_cause(failures: Sequence[_Outcome]) -> LimnerError:
    """Return the error to show: an error of a process's own, else a death, else that others were lost."""
    errors = [outcome.error for outcome in failures if outcome.error is not None]
    own = [error for error in errors if not isinstance(error, DistributedError)]
    deaths = [DistributedError(f"{outcome.death}; {RESUME_ADVICE}") for outcome in failures if outcome.death]
    return [*own, *deaths, *errors][0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _work(
    sender: connection.Connection, environment: dict[str, str], entry: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    """Body of a process started by `launch`; an error that is no `LimnerError` prints its traceback and kills it."""
    os.environ.update(environment)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        outcome = _Outcome(result=entry(*args))
    except LimnerError as error:
        outcome = _Outcome(error=error)
    except KeyboardInterrupt:
        sys.exit(130)
    with suppress(BrokenPipeError):  # the launcher may be gone
        sender.send(outcome)


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _gather(workers: Sequence[BaseProcess], receivers: Sequence[connection.Connection]) -> dict[int, _Outcome]:
    """Return how each process ended, in that order; without those that do not follow a failure within `GRACE_SEC`."""
    outcomes: dict[int, _Outcome] = {}
    deadline: float | None = None
    while len(outcomes) < len(workers):
        waiting = {receiver: rank for rank, receiver in enumerate(receivers) if rank not in outcomes}
        ready = connection.wait(list(waiting), None if deadline is None else max(deadline - time.monotonic(), 0))
        if not ready:
            break
        for rank in sorted(rank for receiver, rank in waiting.items() if receiver in ready):
            try:
                outcomes[rank] = receivers[rank].recv()
            except EOFError:
                workers[rank].join()
                how = _exit_text(workers[rank].exitcode or 0)
                outcomes[rank] = _Outcome(death=f"process {rank} of {len(workers)} {how}")
            if outcomes[rank].is_failure and deadline is None:
                deadline = time.monotonic() + GRACE_SEC
    return outcomes


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (", often for lack of memory" if name == "SIGKILL" else "")


def _end(workers: Sequence[BaseProcess]) -> None:
    """Wait a moment for processes that have reported, and kill those that stay."""
    for worker in workers:
        worker.join(5)
        if worker.is_alive():
            worker.kill()
            worker.join()


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C, as processes started meanwhile do until they train; they get SIGTERM from their launcher."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _passing_stops(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """Pass SIGTERM and Ctrl-C on to `workers` as SIGTERM; a second Ctrl-C interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        is_asked = True
        for worker in workers:
            worker.terminate()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
