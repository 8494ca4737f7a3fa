"""The one training loop.

Build data, networks, objective and optimisers; restore the latest state if the folder has one; then, while
`nimg < total`: take a batch, run every due phase (zero, accumulate, backward, average, step), advance the moving
average, and hand detached scalars to the callbacks at every tick. Resuming is running the same command again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limner import registry
from limner.checkpoints.state import load_latest_state, save_state
from limner.config import RunConfig, nominal_side
from limner.data import open_dataset
from limner.data.loader import Loader
from limner.errors import CheckpointError, NonFiniteError
from limner.ops.growing import shrink
from limner.papers.base import Batch, ObjectiveContext, Phase
from limner.training import augmentation, run_folder
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.distributed import Processes, join, leave
from limner.training.draws import SharedDraws
from limner.training.ema import ema_decay
from limner.training.interrupt import StopSignals
from limner.training.pretrained import start_encoder, take_generator
from limner.training.schedule import Moment, moment
from limner.training.state import TrainingState, from_tree, initial_state, learning_rate, to_tree
from limner.training.statistics import Statistics
from limner.training.transfer import Transfer, take_over


@dataclass(kw_only=True)
class _Run:
    """What the loop's parts share."""

    config: RunConfig
    run_dir: Path
    device: torch.device
    processes: Processes
    state: TrainingState
    loader: Loader
    label_table: Tensor | None
    statistics: Statistics
    callbacks: list[Callback]
    shared: dict[str, Any]

    def num_rounds(self, batch: int) -> int:
        """Accumulation rounds of a phase on a total batch."""
        share = batch // self.processes.world
        return -(-share // (self.config.batch_gpu or share))


def train(
    config: RunConfig,
    run_dir: Path,
    *,
    device: torch.device,
    init_from: Path | None = None,
    quiet: bool = False,
    command: str = "",
) -> Path:
    """Train, or go on training, the run in `run_dir`.

    Args:
        config: the resolved configuration.
        run_dir: folder of the run; made if missing.
        device: where to compute.
        init_from: snapshot whose networks a fresh run starts from.
        quiet: print nothing but errors.
        command: the command line, for the record.

    Returns:
        `run_dir`.

    Raises:
        ConfigError: the folder holds a run of other settings, or the batch does not divide.
        CheckpointError: the state cannot be read or written.
        DataError: the pictures do not fit.
        NonFiniteError: a gradient is NaN or infinite.
        DistributedError: another process has ended.
    """
    processes, device = join(device)
    try:
        run_folder.check_batch(config, processes.world)
        with StopSignals() as signals:
            run = _prepare(config, run_dir, device, processes, init_from, quiet, command)
            try:
                _loop(run, signals)
            finally:
                run.loader.close()
    finally:
        leave()
    return run_dir


def _prepare(
    config: RunConfig,
    run_dir: Path,
    device: torch.device,
    processes: Processes,
    init_from: Path | None,
    quiet: bool,
    command: str,
) -> _Run:
    data = config.data
    dataset = open_dataset(
        data.path, resolution=data.resolution, channels=data.channels, subset=data.subset, seed=config.seed
    )
    context = ObjectiveContext(reduce_mean=processes.mean)
    state = initial_state(config, context, device)  # before the folder is made: it raises where something is missing
    if processes.is_first:
        run_folder.open_folder(run_dir, config, dataset.fingerprint, command)
    processes.barrier()
    context.augment = augmentation.build(config.augment, state.augment_p, device)
    shown, held_out = (dataset, None) if data.held_out is None else dataset.split(data.held_out, config.seed)
    transfer = _restore(state, run_dir, init_from, config, processes)
    if transfer is not None and processes.is_first and not quiet:
        print(transfer.notice(), flush=True)
    loader = Loader(
        shown,
        batch=lambda nimg: moment(config, nimg).batch,
        rank=processes.rank,
        world=processes.world,
        seed=config.seed,
        mirror=data.mirror,
        start=state.nimg,
        workers=data.workers,
        cache_mb=data.cache_mb,
    )
    callback_context = CallbackContext(
        config=config,
        run_dir=run_dir,
        dataset=shown,
        held_out=held_out,
        device=device,
        quiet=quiet,
        augment=augmentation.preview(config.augment, device, config.seed),
    )
    names = config.callbacks.names if processes.is_first else ()
    return _Run(
        config=config,
        run_dir=run_dir,
        device=device,
        processes=processes,
        state=state,
        loader=loader,
        label_table=_label_table(shown, config, device),
        statistics=Statistics(),
        callbacks=[registry.get("callbacks", name).make(callback_context) for name in names],
        shared=callback_context.shared,
    )


def _restore(
    state: TrainingState, run_dir: Path, init_from: Path | None, config: RunConfig, processes: Processes
) -> Transfer | None:
    """Take up the latest state of the run.

    A run without one takes the generator that an encoder is trained for, and starts from the snapshot `init_from`, if
    given.
    """
    tree = load_latest_state(run_dir)
    if tree is not None:
        from_tree(state, tree, str(run_dir / "state"))
    if not processes.is_same(state.nimg, state.rng.device):
        raise CheckpointError(
            f"the processes of the run read different training states from '{run_dir}', this one after "
            f"{state.nimg / 1000:g} kimg; put --out on a disk that all machines share"
        )
    transfer = None
    if tree is None and config.generator_from is not None:
        take_generator(state, config)
    if tree is None and init_from is not None:
        transfer = take_over(state, init_from, config.room, run_dir if processes.is_first else None)
    if config.generator_from is not None:
        start_encoder(state, config, is_fresh=tree is None)
    for module in state.modules().values():
        processes.broadcast(module)
    return transfer


def _label_table(dataset: Any, config: RunConfig, device: torch.device) -> Tensor | None:
    if not config.data.cond:
        return None
    return torch.stack([torch.from_numpy(dataset.label(i)) for i in range(len(dataset))]).to(device)


def _loop(run: _Run, signals: StopSignals) -> None:
    config, state = run.config, run.state
    phases = state.objective.phases()
    total = round(config.total_kimg * 1000)
    for callback in run.callbacks:
        callback.on_start(state)
    clock = _Clock(run)
    while state.nimg < total:
        _iterate(run, phases)
        for callback in run.callbacks:
            callback.on_step(state)
        is_stopped = run.processes.any(signals.is_stop_requested, run.device)
        is_done = state.nimg >= total
        tick = int(state.nimg // (config.callbacks.tick_kimg * 1000))
        is_tick, state.tick = tick > state.tick, tick
        if not (is_tick or is_stopped or is_done):
            continue
        is_snapshot = is_done or (is_tick and tick % config.callbacks.snap == 0)
        stats = clock.tick(is_snapshot)
        for callback in run.callbacks:
            callback.on_tick(state, stats)
        state.best = run.shared.get("best", state.best)
        if is_snapshot or is_stopped:
            _save(run)
        if is_stopped:
            break
        clock.start()
    for callback in run.callbacks:
        callback.on_end(state)


def _iterate(run: _Run, phases: Sequence[Phase]) -> None:
    """One iteration: every due phase, then the moving average."""
    config, state = run.config, run.state
    now = moment(config, state.nimg)
    is_new_stage = (math.floor(now.lod), math.ceil(now.lod)) != (math.floor(state.lod), math.ceil(state.lod))
    for name, optimizer in state.optimizers.items():
        optimizer.param_groups[0]["lr"] = learning_rate(now, name, phases)
        if is_new_stage and config.schedule.reset_optimizers:
            optimizer.state.clear()
    state.grow(now.lod)
    pixels, labels = next(run.loader)
    images = shrink(pixels.to(run.device).float() / 127.5 - 1, now.lod)
    c = labels.to(run.device) if labels is not None and config.data.cond else None
    for phase in phases:
        if state.iteration % phase.interval == 0:
            _step(run, phase, now, images, c)
    state.nimg += now.batch
    state.iteration += 1
    state.average(ema_decay(config.ema, batch=now.batch, nimg=state.nimg))
    if config.augment.mode == "ada" and state.iteration % config.augment.interval == 0:
        augmentation.adjust(state, config.augment, run.processes, now.batch)


def _step(run: _Run, phase: Phase, now: Moment, images: Tensor, c: Tensor | None) -> None:
    """One optimiser step of one phase, accumulated over rounds."""
    state, processes, rounds = run.state, run.processes, run.num_rounds(now.batch)
    parameters = state.select(phase, run.config.optimizer.freeze_d)
    optimizer = state.optimizers[phase.module]
    optimizer.zero_grad(set_to_none=True)
    before = state.rng.get_state() if rounds > 1 else None
    for index in range(rounds):
        if before is not None:
            state.rng.set_state(before)  # every round draws the same total batch and keeps its own part
        draws = SharedDraws(
            state.rng,
            batch=now.batch,
            start=index * processes.world + processes.rank,
            step=rounds * processes.world,
            label_table=run.label_table,
        )
        batch = Batch(images[index::rounds], None if c is None else c[index::rounds], draws, now.lod)
        values = phase.loss(batch)
        (values["loss"] / rounds).backward()
        for name, value in values.items():
            run.statistics.add(f"loss/{phase.name}" if name == "loss" else name, value)
        if "signs/real" in values:
            augmentation.count_signs(state, values["signs/real"])
    processes.average_gradients(parameters)
    _guard(run, phase, parameters)
    optimizer.step()


def _guard(run: _Run, phase: Phase, parameters: Sequence[torch.nn.Parameter]) -> None:
    """Stop on a non-finite gradient: at once on a CPU, at the end of the tick where looking would synchronise."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.stack(torch._foreach_norm(gradients)).sum()
    run.statistics.add(f"guard/{phase.name}", norm)
    if run.device.type == "cpu" and not torch.isfinite(norm):
        raise _non_finite(run.state, phase.name)


def _non_finite(state: TrainingState, phase: str) -> NonFiniteError:
    return NonFiniteError(
        f"phase {phase}: got a gradient that is not finite after {state.nimg / 1000:g} kimg; the last saved state is "
        "untouched: resume with a lower learning rate or a higher r1_gamma in a new run (--init-from), and look at "
        "the pictures of the data set"
    )


def _save(run: _Run) -> None:
    """Write what resuming needs; every process holds the same state, the first writes it."""
    run.state.augment_stats.copy_(run.processes.mean(run.state.augment_stats))  # signs counted since p was adjusted
    if run.processes.is_first:
        save_state(run.run_dir, to_tree(run.state))
    run.processes.barrier()


class _Clock:
    """Means and speeds of each tick; what callbacks do between ticks counts for the time of the run only."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.counted = time.monotonic()
        self.start()

    def start(self) -> None:
        """Begin the next tick."""
        self.started, self.nimg, self.wait_sec = time.monotonic(), self.run.state.nimg, self.run.loader.wait_sec

    def tick(self, is_snapshot: bool) -> dict[str, float]:
        """Return the statistics of the tick that ends now (see `Callback.on_tick`)."""
        run, state = self.run, self.run.state
        stats = run.statistics.take(run.processes)
        for name in [name for name in stats if name.startswith("guard/")]:
            if not math.isfinite(stats.pop(name)):
                raise _non_finite(state, name.removeprefix("guard/"))
        now = time.monotonic()
        elapsed = max(now - self.started, 1e-9)
        state.elapsed_sec += now - self.counted
        self.counted = now
        images = max(state.nimg - self.nimg, 1)
        if run.config.schedule.grow:
            side = nominal_side(run.config.data.resolution)
            stats |= {
                "resolution": float(side >> math.floor(state.lod)),
                "lod": state.lod,
                "alpha": 1 - state.lod % 1,
            }
        return stats | {
            "kimg": state.nimg / 1000,
            "tick": float(state.tick),
            "images_per_sec": images / elapsed,
            "sec_per_kimg": elapsed / images * 1000,
            "elapsed_sec": state.elapsed_sec,
            "data_wait": (run.loader.wait_sec - self.wait_sec) / elapsed,
            "augment_p": float(state.augment_p),
            "snapshot": float(is_snapshot),
        }
