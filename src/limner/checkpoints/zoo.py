"""Published checkpoints by short names: where they are, under which licence, and getting them once.

A file is downloaded to `~/.cache/limner/zoo` (under `XDG_CACHE_HOME` if set), read without running anything it carries,
and used from there, offline too. Publishers gave no checksums: size and sha256 are recorded beside the file when it is
first used, and every later use and download is compared with that (trust on first use). limner ships none of these
files. What is on Google Drive is fetched by hand: its pages ask a person to confirm.

Sources: addresses, names and resolutions as the READMEs of NVIDIA's repositories give them; licences likewise.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from limner.checkpoints import official
from limner.config import Resolution
from limner.errors import CheckpointError, ConfigError, WeightsError, closest
from limner.features.download import Progress, download, published_size
from limner.runtime import atomic_file, expand

ENVIRONMENT = "LIMNER_ZOO"
"""Environment variable with the address of a mirror, such as http://mirror.example:8000: paths stay, hosts change."""

CC_BY_NC = "Creative Commons BY-NC 4.0 (non-commercial)"
NVIDIA = "NVIDIA Source Code License (non-commercial)"
STYLEGAN2 = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks"
ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
ADA_TENSORFLOW = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada/pretrained"
NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files"
DRIVE = "https://drive.google.com"
LSUN = (
    *("bedroom", "bridge", "churchoutdoor", "classroom", "conferenceroom", "diningroom", "kitchen", "livingroom"),
    *("restaurant", "tower", "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Categories of LSUN that ProGAN was trained on."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published checkpoint."""

    name: str
    room: str
    """Paper whose networks are in it: a folder of `limner/papers`."""
    resolution: Resolution
    """(height, width) of its pictures, pixels."""
    what: str
    """What it shows and how it was trained."""
    licence: str
    url: str
    """Address of the file, or of the page or folder where a person gets it."""
    file: str
    """Name its publisher gave it."""

    @property
    def is_by_hand(self) -> bool:
        """Whether a person has to download it."""
        return self.url.startswith(DRIVE)


def published() -> dict[str, Published]:
    """Return all published checkpoints by name, in the order they are listed."""
    entries = [*_ada(), *_stylegan2(), *_ngc(), *_stylegan(), *_progan()]
    return {entry.name: entry for entry in entries}


def is_published(name: str) -> bool:
    """Whether `name` is one of a published checkpoint."""
    return name in published()


def find(name: str) -> Published:
    """Return a published checkpoint.

    Raises:
        ConfigError: there is none of that name; the message gives the closest one.
    """
    known = published()
    if name not in known:
        raise ConfigError(
            f"zoo: got '{name}', expected the name of a published checkpoint.{closest(name, known)} 'limner zoo' lists "
            "them"
        )
    return known[name]


def fetch(name: str) -> Path:
    """Return the file of a published checkpoint, downloading it when it is not here, or finishing a broken download.

    The address and the licence are printed on standard error when a download begins, with a bar on a terminal.

    Raises:
        ConfigError: an unknown name, or a mirror that is no address.
        CheckpointError: it has to be downloaded by hand, cannot be downloaded, or is not what was first used.
    """
    entry = find(name)
    path = place(name)
    record = _read_record(path)
    if not path.is_file():
        _download(entry, path, record)
    digest = official.checksum(path)
    if record is None:
        _trust(entry, path, digest)
    elif digest != record["sha256"]:
        raise CheckpointError(
            f"'{path}' has sha256 {digest}, expected {record['sha256']}, that of its first use; it is damaged or was "
            f"replaced: remove it, and {name} is downloaded again"
        )
    return path


def place(name: str) -> Path:
    """Return where the file of a published checkpoint is kept; its record lies beside it, ending in .json."""
    return expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "limner" / "zoo" / f"{name}.pkl"


def address(entry: Published) -> str:
    """Return the address a checkpoint is downloaded from: its own, or the same path on the mirror of `LIMNER_ZOO`.

    Raises:
        ConfigError: the mirror is no http address.
    """
    mirror = os.environ.get(ENVIRONMENT)
    if not mirror:
        return entry.url
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise ConfigError(f"{ENVIRONMENT}: got '{mirror}', expected an address such as http://mirror.example:8000")
    return mirror.rstrip("/") + urlsplit(entry.url).path


def _download(entry: Published, path: Path, record: Mapping[str, Any] | None) -> None:
    if entry.is_by_hand:
        raise CheckpointError(
            f"{entry.name} ({entry.file}) has to be downloaded by hand: get it from {entry.url} and save it as "
            f"'{path}'; its licence: {entry.licence}"
        )
    url = address(entry)
    try:
        size = record["num_bytes"] if record else published_size(url)
        print(f"downloading {entry.name}, {size / 1e6:.0f} MB, from {url}", file=sys.stderr)
        print(f"licence of these weights: {entry.licence}", file=sys.stderr)
        with _bar(entry.name) as progress:
            download(url, path, num_bytes=size, sha256=record["sha256"] if record else None, progress=progress)
    except WeightsError as error:
        raise CheckpointError(f"{entry.name}: {error} ('{path}')") from None


def _trust(entry: Published, path: Path, digest: str) -> None:
    """Record what a file is on its first use, if it holds what it should; else drop what was downloaded."""
    source = entry.url if entry.is_by_hand else address(entry)
    try:
        kind = official.identify(path)
        if kind.room != entry.room:
            raise CheckpointError(f"'{path}' holds {kind}, expected networks of {entry.room}")
    except CheckpointError as error:
        if not entry.is_by_hand:
            path.unlink()
        raise CheckpointError(f"{error}; it is not {entry.file} of {source}: remove it and get it again") from None
    record = {"name": entry.name, "url": source, "num_bytes": path.stat().st_size, "sha256": digest}
    try:
        with atomic_file(path.with_suffix(".json"), sync=True) as file:
            file.write(json.dumps(record, indent=2).encode() + b"\n")
    except OSError as error:
        raise CheckpointError(f"cannot write beside '{path}': {error.strerror or error}; free space there") from None


def _read_record(path: Path) -> dict[str, Any] | None:
    """Return what was recorded on the first use of a file; None before that."""
    place = path.with_suffix(".json")
    if not place.is_file():
        return None
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
        return {"num_bytes": int(record["num_bytes"]), "sha256": str(record["sha256"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(f"'{place}' is damaged, expected num_bytes and sha256; remove it to trust anew") from None


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    """Show bytes that arrive on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _nvidia(
    name: str, base: str, file: str, side: int, what: str, *, room: str = "stylegan2", licence: str = NVIDIA
) -> Published:
    return Published(
        name=name,
        room=room,
        resolution=(side, side),
        what=what,
        licence=licence,
        url=f"{base}/{file}",
        file=file.rpartition("/")[2],
    )


def _ada() -> Iterator[Published]:
    """StyleGAN2-ADA, in PyTorch and in TensorFlow."""
    pictures = {
        "ffhq-1024": ("ffhq", 1024, "FFHQ faces"),
        "metfaces-1024": ("metfaces", 1024, "MetFaces, faces in art, from FFHQ"),
        "afhqcat-512": ("afhqcat", 512, "AFHQ cats"),
        "afhqdog-512": ("afhqdog", 512, "AFHQ dogs"),
        "afhqwild-512": ("afhqwild", 512, "AFHQ wild animals"),
        "cifar10-cond": ("cifar10", 32, "CIFAR-10, labels of 10 classes"),
        "brecahad-512": ("brecahad", 512, "BreCaHAD, microscopy of breast cancer"),
    }
    for name, (file, side, what) in pictures.items():
        yield _nvidia(name, ADA, f"{file}.pkl", side, f"{what} (ADA)")
    sources = {
        "ffhq-256": ("ffhq-res256-mirror-paper256-noaug", 256, "FFHQ faces"),
        "ffhq-512": ("ffhq-res512-mirror-stylegan2-noaug", 512, "FFHQ faces"),
        "ffhq-1024-noaug": ("ffhq-res1024-mirror-stylegan2-noaug", 1024, "FFHQ faces"),
        "celebahq-256": ("celebahq-res256-mirror-paper256-kimg100000-ada-target0.5", 256, "CelebA-HQ faces"),
        "lsundog-256": ("lsundog-res256-paper256-kimg100000-noaug", 256, "LSUN dogs"),
    }
    for name, (file, side, what) in sources.items():
        yield _nvidia(name, ADA, f"transfer-learning-source-nets/{file}.pkl", side, f"{what} (to fine-tune from)")
    for name, (file, side, what) in pictures.items():
        yield _nvidia(f"{name}-tf", ADA_TENSORFLOW, f"{file}.pkl", side, f"{what} (ADA in TensorFlow)")


def _stylegan2() -> Iterator[Published]:
    """StyleGAN2: the rows of Table 1 (configuration A is a StyleGAN) and all pairs of Table 2."""
    pictures = {
        "ffhq": (1024, "FFHQ faces", "abcdef"),
        "car": (512, "LSUN cars, black above and below", "abcdef"),
        "cat": (256, "LSUN cats", "af"),
        "church": (256, "LSUN churches", "af"),
        "horse": (256, "LSUN horses", "af"),
    }
    for data, (side, what, configurations) in pictures.items():
        for letter in configurations:
            file, room = f"stylegan2-{data}-config-{letter}", "stylegan" if letter == "a" else "stylegan2"
            what_it_is = f"{what} (StyleGAN2 configuration {letter.upper()})"
            yield _nvidia(file, STYLEGAN2, f"{file}.pkl", side, what_it_is, room=room)
    for data in ("ffhq", "car"):
        side, what, _ = pictures[data]
        for G in ("orig", "skip", "resnet"):
            for D in ("orig", "skip", "resnet"):
                file = f"stylegan2-{data}-config-e-G{G}-D{D}"
                yield _nvidia(file, STYLEGAN2, f"table2/{file}.pkl", side, f"{what} (StyleGAN2, Table 2)")


def _ngc() -> Iterator[Published]:
    """StyleGAN2 as trained by the StyleGAN3 project."""
    files = {
        "ffhq": (1024, 512, 256),
        "ffhqu": (1024, 256),
        "metfaces": (1024,),
        "metfacesu": (1024,),
        **dict.fromkeys(("afhqv2", "afhqcat", "afhqdog", "afhqwild", "brecahad"), (512,)),
        "cifar10": (32,),
        "celebahq": (256,),
        "lsundog": (256,),
    }
    for data, sides in files.items():
        for side in sides:
            file = f"stylegan2-{data}-{side}x{side}"
            yield _nvidia(file, NGC, f"{file}.pkl", side, f"{data} (StyleGAN2 of the StyleGAN3 project)")


def _stylegan() -> Iterator[Published]:
    """StyleGAN."""
    files = {
        "ffhq-1024": ("karras2019stylegan-ffhq-1024x1024", "1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ", 1024, "FFHQ faces"),
        "celebahq-1024": (
            "karras2019stylegan-celebahq-1024x1024",
            "1MGqJl28pN4t7SAtSrPdSRJSQJqahkzUf",
            1024,
            "CelebA-HQ",
        ),
        "bedrooms-256": (
            "karras2019stylegan-bedrooms-256x256",
            "1MOSKeGF0FJcivpBI7s63V9YHloUTORiF",
            256,
            "LSUN bedrooms",
        ),
        "cars-512": ("karras2019stylegan-cars-512x384", "1MJ6iCfNtMIRicihwRorsM3b7mmtmK9c3", 512, "LSUN cars"),
        "cats-256": ("karras2019stylegan-cats-256x256", "1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ", 256, "LSUN cats"),
    }
    for name, (file, key, side, what) in files.items():
        yield Published(
            name=f"{name}-stylegan",
            room="stylegan",
            resolution=(side, side),
            what=f"{what} (StyleGAN)",
            licence=CC_BY_NC,
            url=f"{DRIVE}/uc?id={key}",
            file=f"{file}.pkl",
        )


def _progan() -> Iterator[Published]:
    """ProGAN; the files of LSUN are listed in one folder."""
    shared: dict[str, Any] = {"room": "progan", "licence": CC_BY_NC}
    yield Published(
        name="celebahq-1024-progan",
        resolution=(1024, 1024),
        what="CelebA-HQ faces (ProGAN)",
        url=f"{DRIVE}/uc?id=188K19ucknC6wg1R6jbuPEhTq9zoufOx4",
        file="karras2018iclr-celebahq-1024x1024.pkl",
        **shared,
    )
    for category in LSUN:
        yield Published(
            name=f"{category}-256-progan",
            resolution=(256, 256),
            what=f"LSUN {category} (ProGAN)",
            url=f"{DRIVE}/drive/folders/15hvzxt_XxuokSmj0uO4xxMTMWVc0cIMU",
            file=f"karras2018iclr-lsun-{category}-256x256.pkl",
            **shared,
        )
