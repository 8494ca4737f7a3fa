"""Pictures from seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from limner.checkpoints.networks import load_generator
from limner.errors import ConfigError, LimnerError
from limner.images import grid as lay_grid
from limner.images import save_png
from limner.latents import parse_seeds
from limner.papers.base import Generator, NoiseMode
from limner.runtime import expand, select_device

Label = int | Sequence[float] | None
"""Number of a class, a label vector, or none."""

Progress = Callable[[int, int], None]
"""Called with (done, in all)."""


def load(path: str | Path, device: str = "auto") -> Generator:
    """Load a generator, ready for use: evaluation mode, no gradients.

    Args:
        path: a run folder (its newest snapshot), a snapshot folder, or a .safetensors file in one; a file of another
            program; the name of a published checkpoint (`limner zoo`), downloaded when it is not here.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        CheckpointError: there is no snapshot, or it is damaged or of another kind.
        ConfigError: there is no such device.
    """
    return load_generator(path, device=select_device(device))


def generate(
    checkpoint: str | Path,
    out: str | Path,
    *,
    seeds: str | Sequence[int],
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    noise_mode: NoiseMode = "const",
    label: Label = None,
    grid: bool = False,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> list[Path]:
    """Write one picture per seed to a folder: `seed0000.png`, ... Each depends on its own seed alone.

    Args:
        checkpoint: see `load`.
        out: folder; made when missing.
        seeds: numbers, or text such as `0-3,7`.
        truncation_psi: see `Generator.sample`, as the next three.
        truncation_cutoff: see there.
        noise_mode: see there.
        label: see there.
        grid: write all pictures on one sheet, `grid.png`, besides.
        device: see `load`.
        command: recorded in `command.txt` when given.
        progress: called after every picture.

    Returns:
        The pictures written, the sheet last.

    Raises:
        CheckpointError: see `load`.
        ConfigError: a seed or setting out of range.
        LimnerError: a file cannot be written.
    """
    numbers = seed_list(seeds)
    generator = load(checkpoint, device)
    folder = expand(out)
    paths, pictures = [], []
    for done, seed in enumerate(numbers, 1):
        (picture,) = generator.sample(
            [seed],
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            noise_mode=noise_mode,
            label=label,
        )
        paths.append(save_png(picture, folder / f"seed{seed:04d}.png"))
        pictures += [picture] if grid else []
        if progress:
            progress(done, len(numbers))
    if grid:
        paths.append(save_png(lay_grid(pictures), folder / "grid.png"))
    record_command(folder, command)
    return paths


def seed_list(seeds: str | Sequence[int]) -> list[int]:
    """Return seeds given as numbers or as text such as `0-3,7`.

    Raises:
        ConfigError: none, or text that is no list of seeds.
    """
    numbers = parse_seeds(seeds) if isinstance(seeds, str) else list(seeds)
    if not numbers:
        raise ConfigError("seeds: got none, expected at least one, such as 0-3,7")
    return numbers


def parse_label(text: str | None) -> int | list[float] | None:
    """Read a label: the number of a class, or a vector as numbers with commas between; None stays None.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")] if "," in text else int(text)
    except ValueError:
        raise ConfigError(
            f"label: got '{text}', expected the number of a class such as 3, or a vector such as 0,1,0.5"
        ) from None


def record_command(folder: Path, command: str) -> None:
    """Write the command line that filled a folder to `command.txt` in it; nothing when it is empty.

    Raises:
        LimnerError: the file cannot be written.
    """
    if not command:
        return
    path = folder / "command.txt"
    try:
        path.write_text(command + "\n", encoding="utf-8")
    except OSError as error:
        raise LimnerError(f"cannot write '{path}': {error.strerror}; choose another folder") from None
