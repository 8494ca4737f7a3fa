"""Processes of a run: joining, launching, and averaging gradients.

Gradients are flattened and all-reduced once per phase; there is no module wrapper, so double backward, unused
parameters and growing networks need nothing special. Backend: nccl on CUDA, gloo elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from limner.errors import DistributedError

TIMEOUT = timedelta(minutes=10)
"""A process that others have waited for this long is taken for dead."""
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

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their means over processes, in one exchange."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # a parameter one share did not use
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters]
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients if gradient is not None]))
        parts = flat.split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            assert parameter.grad is not None
            parameter.grad.copy_(part.view_as(parameter))

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
        reason = str(error).strip().splitlines()[0][:160]
        raise DistributedError(f"another process of the run has ended ({reason}); {RESUME_ADVICE}") from None


def is_launched() -> bool:
    """Whether a launcher (torchrun, srun, or `launch`) started this process as one of several."""
    return "RANK" in os.environ or (int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ)


def join(device: torch.device) -> tuple[Processes, torch.device]:
    """Join the processes that a launcher started; alone when there is none.

    Args:
        device: where to compute; `cuda` without a number becomes this process's own.

    Raises:
        DistributedError: the others cannot be reached.
    """
    if not is_launched():
        return Processes(), device
    if "RANK" not in os.environ:  # srun: the first host of the job is the meeting point
        os.environ["RANK"] = os.environ["SLURM_PROCID"]
        os.environ["WORLD_SIZE"] = os.environ["SLURM_NTASKS"]
        os.environ["LOCAL_RANK"] = os.environ.get("SLURM_LOCALID", "0")
        os.environ.setdefault("MASTER_ADDR", os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"))
        os.environ.setdefault("MASTER_PORT", str(20000 + int(os.environ.get("SLURM_JOB_ID", "0")) % 20000))
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if world == 1:
        return Processes(), device
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    elif device.type == "cpu":
        local_world = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        torch.set_num_threads(max((os.cpu_count() or 1) // local_world, 1))
    with _naming_death():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    return Processes(rank, world), device


def leave() -> None:
    """Leave the processes of the run."""
    if dist.is_initialized():
        dist.destroy_process_group()


def launch(num_processes: int, entry: Callable[..., Any], *args: Any) -> Any:
    """Run `entry(*args)` in `num_processes` processes of this machine and return the first one's result.

    Args:
        num_processes: how many.
        entry: a module-level function; it calls `join` itself.
        args: passed on; must be picklable.

    Raises:
        DistributedError: a process died; the others were ended.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # A restarted rendezvous in a shared store hangs; without sharing it works (`facts`, distribution).
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // num_processes, 1)))
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
        monitor_interval=0.5,
    )
    try:
        results: dict[int, Any] = elastic_launch(settings, record(entry))(*args)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        message = failure.message.strip().splitlines()[0] if failure.message else "no message"
        raise DistributedError(
            f"process {rank} of {num_processes} ended with exit code {failure.exitcode} ({message}); {RESUME_ADVICE}"
        ) from None
    except SignalException:
        raise DistributedError(f"the run was asked to stop; {RESUME_ADVICE}") from None
    return results[0]
