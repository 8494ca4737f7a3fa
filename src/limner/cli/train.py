"""`limner train`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from limner.cli.console import command_line, notice
from limner.cli.options import Device, Quiet, parse_resolution, parse_settings
from limner.config import RunConfig, to_yaml
from limner.errors import ConfigError

if TYPE_CHECKING:
    from limner.api import Outcome

DATA = Group("Pictures", sort_key=1)
NETWORK = Group("Networks and losses", sort_key=2)
LENGTH = Group("Length and batch", sort_key=3)
AUGMENT = Group("Augmentation", sort_key=4)
OUTPUT = Group("What is written", sort_key=5)
MACHINE = Group("Machine", sort_key=6)

NVIDIA_CONFIGS = {
    "auto": "stylegan2-ada-auto",
    "stylegan2": "stylegan2-config-f",
    "paper256": "stylegan2-ada-paper256",
    "paper512": "stylegan2-ada-paper512",
    "paper1024": "stylegan2-ada-paper1024",
    "cifar": "stylegan2-ada-cifar",
    "config-e": "stylegan2-config-e",
    "config-f": "stylegan2-config-f",
}
"""NVIDIA's names of `--cfg` -> our presets."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The flags of `limner train`; None leaves a setting as the preset, the files or the run has it."""

    data: Annotated[str | None, Parameter(group=DATA)] = None
    """folder or zip of pictures, or samples for those in the package"""
    resolution: Annotated[str | None, Parameter(group=DATA)] = None
    """side, or height x width such as 64x48, pixels; left out: that of the pictures"""
    channels: Annotated[int | None, Parameter(group=DATA)] = None
    """1, 2, 3 or 4; left out: those of the pictures"""
    mirror: Annotated[bool | None, Parameter(group=DATA, negative="")] = None
    """show every picture also flipped left to right (--mirror=0: no)"""
    cond: Annotated[bool | None, Parameter(group=DATA, negative="")] = None
    """condition on the labels of the pictures (--cond=0: no)"""
    subset: Annotated[int | None, Parameter(group=DATA)] = None
    """use only this many pictures"""

    preset: Annotated[str | None, Parameter(name=["--preset", "--cfg"], group=NETWORK)] = None
    """published configuration, see 'limner presets'; also NVIDIA's auto, stylegan2, paper256, ..., cifar"""
    gamma: Annotated[float | None, Parameter(group=NETWORK)] = None
    """weight of R1"""
    init_from: Annotated[str | None, Parameter(group=NETWORK)] = None
    """snapshot whose networks a new run starts from: fine-tuning; what does not fit is listed and starts fresh"""
    generator: Annotated[str | None, Parameter(group=NETWORK)] = None
    """finished generator that an encoder is trained for: the folder of its run, a snapshot, or a file in one"""
    attributes: Annotated[str | None, Parameter(group=NETWORK)] = None
    """what a classifier learns of the labels, comma separated, or all"""
    freeze_d: Annotated[int | None, Parameter(name=["--freeze-d", "--freezed"], group=NETWORK)] = None
    """first layers of D, counted from the picture, that stay as they are (Freeze-D; 10 is a good start)"""
    grow: Annotated[bool | None, Parameter(group=NETWORK, negative="")] = None
    """grow progressively (--grow=0: the same run at full resolution from the start)"""
    config: Annotated[tuple[str, ...], Parameter(group=NETWORK, negative="", show_default=False)] = ()
    """YAML file of settings, as --dry-run prints; may be repeated, later ones win"""
    set: Annotated[tuple[str, ...], Parameter(group=NETWORK, negative="", show_default=False)] = ()
    """any setting by its path, such as objective.pl_weight=0; may be repeated"""

    kimg: Annotated[float | None, Parameter(group=LENGTH)] = None
    """length of the run, thousands of pictures shown"""
    batch: Annotated[int | None, Parameter(group=LENGTH)] = None
    """total batch, over all processes"""
    batch_gpu: Annotated[int | None, Parameter(group=LENGTH)] = None
    """most pictures a process holds at once"""
    seed: Annotated[int | None, Parameter(group=LENGTH)] = None
    """seed of weights, latents, augmentation and order"""

    augment: Annotated[
        Literal["none", "ada", "fixed", "diffaugment", "noaug"] | None,
        Parameter(name=["--augment", "--aug"], group=AUGMENT),
    ] = None
    """adaptive (ada), fixed, DiffAugment, or none"""
    p: Annotated[float | None, Parameter(group=AUGMENT)] = None
    """probability for fixed"""
    target: Annotated[float | None, Parameter(group=AUGMENT)] = None
    """target of ada"""
    augpipe: Annotated[str | None, Parameter(group=AUGMENT)] = None
    """transforms of ada and fixed: blit, geom, color, filter, noise, cutout, bg, bgc, ..., bgcfnc"""

    out: Annotated[str | None, Parameter(group=OUTPUT)] = None
    """folder of the run; a run in it goes on"""
    outdir: Annotated[str, Parameter(group=OUTPUT)] = "runs"
    """without --out: a new folder 00000-DATA-PRESET is made in this one"""
    resume: Annotated[str | None, Parameter(group=OUTPUT)] = None
    """run folder to go on with; a snapshot of another run is fine-tuned, as with --init-from"""
    snap: Annotated[int | None, Parameter(group=OUTPUT)] = None
    """ticks between snapshots"""
    tick: Annotated[float | None, Parameter(group=OUTPUT)] = None
    """length of a tick, kimg"""
    metrics: Annotated[str | None, Parameter(group=OUTPUT)] = None
    """metrics at every snapshot, comma separated, or none"""
    quiet: Annotated[Quiet, Parameter(group=OUTPUT)] = False
    dry_run: Annotated[bool, Parameter(name=["--dry-run", "-n"], negative="", show_default=False, group=OUTPUT)] = False
    """print settings, parameters and an estimate of time and memory, and do nothing"""

    device: Annotated[Device, Parameter(group=MACHINE)] = "auto"
    gpus: Annotated[int | None, Parameter(group=MACHINE)] = None
    """GPUs, one process each"""
    nproc: Annotated[int | None, Parameter(group=MACHINE)] = None
    """processes on a CPU"""
    workers: Annotated[int | None, Parameter(group=MACHINE)] = None
    """threads that read pictures; never changes the result"""


SETTINGS = {
    "mirror": "data.mirror",
    "subset": "data.subset",
    "workers": "data.workers",
    "gamma": "objective.r1_gamma",
    "freeze_d": "optimizer.freeze_d",
    "grow": "schedule.grow",
    "kimg": "total_kimg",
    "batch_gpu": "batch_gpu",
    "seed": "seed",
    "augment": "augment.mode",
    "p": "augment.p",
    "target": "augment.target",
    "augpipe": "augment.pipe",
    "snap": "callbacks.snap",
    "tick": "callbacks.tick_kimg",
}
"""Flag -> the setting it stands for."""


def train(options: Annotated[TrainOptions, Parameter(name="*")] = TrainOptions()) -> None:
    """Train a network on your pictures, or go on with a run.

    Running the same command again goes on where it stopped; a larger --kimg extends the run. Settings come from the
    preset, then --config files, then flags, then --set.

    For example:

        limner train --data samples --out runs/first --preset stylegan2-tiny
        limner train --data faces.zip --out runs/faces --preset stylegan2-config-f --resolution 64 --kimg 200
        limner train --data faces.zip --outdir=~/runs --cfg=auto --mirror=1 --gamma=2 --aug=ada --snap=10
        limner train --data faces.zip --preset stylegan2-config-f --dry-run > run.yaml
        limner train --config run.yaml --set objective.pl_weight=0 --out runs/no-pl
        limner train --data faces.zip --out runs/faces --nproc 2
        limner train --preset idinvert-tiny --generator runs/faces --data faces.zip --out runs/encoder
        limner train --preset classifier-tiny --attributes all --data labelled.zip --out runs/classifier
    """
    from limner import api

    quiet = options.quiet or not api.is_first_process()
    out, init_from = _places(options, quiet)
    num_processes = api.num_processes(options.gpus, options.nproc)
    plan = api.configure(
        api.RunRequest(
            data=options.data,
            preset=NVIDIA_CONFIGS.get(options.preset or "", options.preset),
            resolution=parse_resolution(options.resolution),
            channels=options.channels,
            cond=options.cond,
            batch=options.batch,
            num_processes=num_processes,
            files=tuple(Path(file) for file in options.config),
            settings={**_flag_settings(options), **parse_settings("--set", options.set)},
            run_dir=None if out is None else Path(out),
            init_from=None if init_from is None else Path(init_from),
            generator=None if options.generator is None else Path(options.generator),
            attributes=None if options.attributes is None else parse_names(options.attributes),
        )
    )
    if plan.data_note:
        notice(f"note: {plan.data_note}", quiet)
    notice(api.setup(), quiet)
    if options.dry_run:
        lines = [command_line(), *api.forecast(plan, device=options.device), "as a file: limner train --config FILE"]
        print("\n".join(f"# {line}" for line in lines))
        print(to_yaml(plan.config), end="")
        return
    if out is None:
        out = str(api.new_run_folder(options.outdir, f"{_data_name(plan.config.data.path)}-{plan.config.preset}"))
        notice(f"new run in {out}; go on with it later: limner train --out {out}", quiet)
    before = api.outcome(out).kimg
    if before:
        notice(f"going on with the run in {out}, at {before:g} kimg", quiet)
    api.train(
        plan,
        out,
        device=options.device,
        init_from=init_from,
        quiet=quiet,
        command=command_line(),
        tune_workers=True,
    )
    if not quiet:
        print("\n".join(closing_lines(api.outcome(out), before, plan.config, out)))


def closing_lines(outcome: Outcome, before: float, config: RunConfig, out: str) -> list[str]:
    """Return what to say at the end: how far the run in `out` is, what to look at, and how to go on."""
    total = config.total_kimg
    if outcome.kimg < total:
        state = f"stopped at {outcome.kimg:g} of {total:g} kimg; run the same command again to go on"
    elif outcome.kimg == before:
        state = f"nothing to do: {outcome.kimg:g} kimg were done before; a larger --kimg extends the run"
    else:
        state = f"{outcome.kimg:g} kimg done; a larger --kimg extends the run"
    use = f"limner generate {shlex.quote(out)} --seeds 0-35 --grid" + (" --class 0" if config.data.cond else "")
    if config.classifier is not None:
        use = f"limner evaluate RUN --metrics ls --num 2000 --classifier {shlex.quote(out)}"
    if config.encoder is not None:
        use = f"limner invert {shlex.quote(out)} PICTURES --method in-domain"
    return [state, *(f"  {name:<18}{value}" for name, value in [*outcome.results.items(), ("use it", use)])]


def _places(options: TrainOptions, quiet: bool) -> tuple[str | None, str | None]:
    """Return the run folder (None: a new one) and the snapshot to start from that `--out` and `--resume` mean."""
    from limner import api

    if options.resume is None:
        return options.out, options.init_from
    if options.init_from is not None:
        raise ConfigError("got --resume and --init-from, expected one of them; drop one")
    if not api.is_run(options.resume):
        notice(f"fine-tuning: a new run starts from the networks of {options.resume}", quiet)
        return options.out, options.resume
    if options.out is not None and Path(options.out) != Path(options.resume):
        raise ConfigError(
            f"--resume goes on in '{options.resume}', but --out says '{options.out}'; drop --out, or start a new run "
            "from its networks with --init-from"
        )
    return options.resume, None


def _flag_settings(options: TrainOptions) -> dict[str, Any]:
    """Return the settings that flags stand for, by dotted path."""
    given = {path: getattr(options, flag) for flag, path in SETTINGS.items() if getattr(options, flag) is not None}
    if given.get("augment.mode") == "noaug":
        given["augment.mode"] = "none"
    if options.metrics is not None:
        given["callbacks.metrics"] = [name for name in parse_names(options.metrics) if name != "none"]
    return given


def parse_names(text: str) -> tuple[str, ...]:
    """Read names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _data_name(path: str) -> str:
    return Path(path).name.removesuffix(".zip") or "data"
