"""The ways to invert that are compared, and the work of one of them on a set of pictures, kept on disk batch by batch.

Source: IDInvert paper (Zhu et al. 2020), Table 1 and Section 4: conventional encoder, free optimisation, domain-guided
encoder, in-domain inversion. StyleGAN2's projector and pivotal tuning join them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from limner import registry
from limner.api.study.bench import Bench
from limner.api.study.request import StudyRequest
from limner.config import from_dict
from limner.inversion.base import Method, Step
from limner.inversion.engine.quality import quality
from limner.runtime import atomic_file

NUM_MARKS = 20
"""Moments of an optimisation whose error is noted, besides the start."""
MAIN = ("conventional", "guided", "optimise", "from-encoder", "in-domain", "project")
"""Contenders that take all pictures."""
SWEEP = (0.5, 10.0, 40.0)
"""Weights of the in-domain term besides 0 and the published 2 (IDInvert paper, Figure 9: a sweep up to 40)."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A way to invert."""

    name: str
    title: str
    """In words, for the page."""
    method: str
    """Module of `limner.inversion`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    encoder: Literal["", "guided", "conventional"] = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A contender on a set of pictures."""

    contender: Contender
    pictures: str
    """Name of a set of `Bench.sets`."""
    count: int
    """Pictures: the first of the set."""

    @property
    def name(self) -> str:
        """Of the set and the contender; the folder of its results."""
        return f"{self.pictures}-{self.contender.name}"

    @property
    def num_updates(self) -> int:
        """Updates of a picture, for the bar."""
        settings = self.contender.settings
        return int(settings.get("steps", 0)) + int(settings.get("pivot_steps", 0)) + 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a contender found for N pictures."""

    ws: Tensor
    """[N, num_ws, w_dim]."""
    images: Tensor
    """[N, C, H, W] in [-1, 1]."""
    numbers: Mapping[str, np.ndarray]
    """mse, psnr, ssim and the perceptual network's distance: [N] each."""
    seconds: np.ndarray
    """[N] a picture, its share of its batch."""
    path_steps: np.ndarray
    """[T] updates done at each moment noted."""
    path_seconds: np.ndarray
    """[T] seconds a picture until then, the mean over batches."""
    path_mse: np.ndarray
    """[T, N] least squared error up to then."""


def contenders(request: StudyRequest) -> dict[str, Contender]:
    """Return every contender by name."""
    free = {"steps": request.steps, "seed": request.seed}
    found = [
        Contender(name="conventional", title="conventional encoder", method="encoder", encoder="conventional"),
        Contender(name="guided", title="domain-guided encoder", method="encoder", encoder="guided"),
        Contender(name="optimise", title="free optimisation in W+, from the mean", method="optimise", settings=free),
        Contender(
            name="from-encoder",
            title="free optimisation in W+, from the domain-guided encoder",
            method="optimise",
            settings={**free, "start": "encoder"},
            encoder="guided",
        ),
        Contender(
            name="in-domain",
            title="in-domain inversion",
            method="in_domain",
            settings={"steps": request.steps},
            encoder="guided",
        ),
        Contender(name="project", title="StyleGAN2's projector", method="project", settings=free),
        Contender(
            name="random", title="free optimisation in W+, from a random code", method="optimise",
            settings={**free, "start": "random"},
        ),
        Contender(
            name="w", title="free optimisation in W, from the mean", method="optimise", settings={**free, "space": "w"}
        ),
        Contender(
            name="in-domain-conv",
            title="in-domain inversion with the conventional encoder",
            method="in_domain",
            settings={"steps": request.steps},
            encoder="conventional",
        ),
        Contender(
            name="pti",
            title="pivotal tuning, half the updates each",
            method="pti",
            settings={
                "pivot_steps": request.steps - request.steps // 2,
                "steps": request.steps // 2,
                "stop": 0.0,
                "seed": request.seed,
            },
        ),
        Contender(
            name="long",
            title=f"free optimisation in W+, {request.long_steps} updates",
            method="optimise",
            settings={**free, "steps": request.long_steps},
        ),
        *(
            Contender(
                name=f"lambda-{weight:g}",
                title=f"in-domain inversion, weight {weight:g}",
                method="in_domain",
                settings={"steps": request.steps, "domain_weight": weight},
                encoder="guided",
            )
            for weight in SWEEP
        ),
    ]  # fmt: skip
    return {contender.name: contender for contender in found}


def trials(request: StudyRequest) -> dict[str, list[Trial]]:
    """Return what each part of a study has to invert; the slowest take the fewest pictures."""
    known = contenders(request)
    subset = min(request.subset, request.num)
    few = max(subset // 2, 2)

    def on(pictures: str, count: int, *names: str) -> list[Trial]:
        return [Trial(contender=known[name], pictures=pictures, count=count) for name in names]

    outside = on("outside", subset, "guided", "optimise", "in-domain")
    if request.train_data is not None:
        outside += on("train", subset, "guided", "in-domain")
    return {
        "reconstruct": on("held-out", request.num, *MAIN),
        "compare": [
            *on("held-out", subset, "random", "w", "in-domain-conv"),
            *on("held-out", few, "pti", "long"),
        ],
        "sweep": on("held-out", subset, *(f"lambda-{weight:g}" for weight in SWEEP)),
        "outside": outside,
        "attribute": on("made", subset, "conventional", "guided", "project"),
    }


def run(
    bench: Bench, trial: Trial, folder: Path, batch: int, told: Callable[[int], None], *, only_read: bool = False
) -> Outcome | None:
    """Invert the pictures of a trial, batch by batch; batches on disk are read, not done again.

    Args:
        bench: networks and pictures.
        trial: what to do.
        folder: the study's.
        batch: pictures at a time.
        told: called with the number of updates done since the last call.
        only_read: do nothing that is not on disk; None when something is missing.
    """
    images = bench.sets[trial.pictures][: trial.count]
    method = _method(bench, trial.contender)
    found = []
    for first in range(0, len(images), batch):
        part = images[first : first + batch]
        key = _key(bench, trial.contender, part)
        path = folder / "found" / trial.name / f"{first:05d}.safetensors"
        tensors = read_kept(path, key, "pt")
        if tensors is None and only_read:
            return None
        if tensors is None:
            tensors = _invert(bench, method, trial, part, told)
            with atomic_file(path) as file:
                file.write(safetensors.torch.save(tensors, {"key": key}))
        else:
            told(len(part) * trial.num_updates)
        found.append(tensors)
    joined = {name: torch.cat([tensors[name] for tensors in found]) for name in found[0] if "path" not in name}
    numbers = {name.removeprefix("number/"): joined[name].numpy() for name in joined if name.startswith("number/")}
    return Outcome(
        ws=joined["ws"],
        images=joined["images"],
        numbers=numbers,
        seconds=joined["seconds"].numpy(),
        path_steps=found[0]["path/steps"].numpy(),
        path_seconds=torch.stack([tensors["path/seconds"] for tensors in found]).mean(0).numpy(),
        path_mse=torch.cat([tensors["path/mse"] for tensors in found], 1).numpy(),
    )


def _method(bench: Bench, contender: Contender) -> Method:
    part = registry.get("inversion", contender.method)
    encoder = {"": None, "guided": bench.guided, "conventional": bench.conventional}[contender.encoder]
    method: Method = part.Method(
        from_dict(part.Config, dict(contender.settings), contender.method), encoder=encoder, perceptual=bench.network
    )
    return method


def _invert(
    bench: Bench, method: Method, trial: Trial, images: Tensor, told: Callable[[int], None]
) -> dict[str, Tensor]:
    """Invert a batch, and note its error along the way; what noting takes is not counted."""
    steps: list[int] = []
    seconds: list[float] = []
    errors: list[Tensor] = []
    least = torch.full((len(images),), float("inf"))
    stride = max((trial.num_updates - 1) // NUM_MARKS, 1)
    noting, started = 0.0, time.perf_counter()

    def on_step(step: Step) -> None:
        nonlocal noting
        now = time.perf_counter()
        told(len(step.images))
        part = slice(step.first, step.first + len(step.images))
        wanted = images[part].to(step.images)
        error = (step.images.detach().clamp(-1, 1) - wanted).square().mean((1, 2, 3)).cpu()
        least[part] = torch.minimum(least[part], error)
        is_whole = len(step.images) == len(images)  # pivotal tuning goes on one picture after the other: no path
        if is_whole and (step.number % stride == 0 or step.number == step.total):
            steps.append(step.number)
            seconds.append((now - started - noting) / len(images))
            errors.append(least.clone())
        noting += time.perf_counter() - now

    made = method.invert(bench.generator, images.to(bench.generator.w_avg), on_step=on_step)
    whole = (time.perf_counter() - started - noting) / len(images)
    numbers = quality(made.images, images.to(made.images), None, bench.network)
    return {
        "ws": made.ws.detach().cpu().contiguous().clone(),
        "images": made.images.detach().cpu().clamp(-1, 1).contiguous(),
        "seconds": torch.full((len(images),), whole),
        "path/steps": torch.tensor(steps, dtype=torch.long),
        "path/seconds": torch.tensor(seconds),
        "path/mse": torch.stack(errors) if errors else torch.zeros(0, len(images)),
        **{f"number/{name}": number.float().contiguous() for name, number in numbers.items()},
    }


def read_kept(path: Path, key: str, framework: Literal["pt", "np"]) -> dict[str, Any] | None:
    """Return the tensors or arrays of a file that was written under this key; None when there are none, or damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework=framework) as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):  # damaged: it is made again
        return None


def _key(bench: Bench, contender: Contender, images: Tensor) -> str:
    """Name everything that decides what a contender finds for a batch."""
    about = {
        "generator": bench.identity,
        "method": contender.method,
        "settings": dict(contender.settings),
        "encoder": bench.digests.get(contender.encoder, ""),
        "perceptual": "none" if bench.network is None else bench.network.name,
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(images.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
