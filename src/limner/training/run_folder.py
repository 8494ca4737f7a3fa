"""The folder of a run: who it belongs to, and whether a configuration may go on in it."""

from __future__ import annotations

from pathlib import Path

from limner.checkpoints.io import CONFIG_NAME, load_config, read_document, write_document
from limner.config import RunConfig, difference
from limner.errors import CheckpointError, ConfigError
from limner.training.schedule import batches

COMMAND_NAME = "command.txt"

CHANGEABLE = (
    *("total_kimg", "callbacks.", "data.path", "data.workers", "data.cache_mb", "batch_gpu"),
    "generator_from.path",
)
"""Settings that may change when a run goes on: its length, what is written, how work is laid out, where things lie."""


def check_batch(config: RunConfig, world: int) -> None:
    """Raise `ConfigError` unless batches divide over processes and accumulation rounds, and the run has a length."""
    if config.total_kimg <= 0:
        raise ConfigError(f"total_kimg: got {config.total_kimg:g}, expected more than 0; give --kimg")
    for batch in batches(config):
        if batch % world:
            raise ConfigError(f"batch: got {batch}, expected a multiple of the {world} processes; change --batch")
        share = batch // world
        if config.batch_gpu is not None and config.batch_gpu < share and share % config.batch_gpu:
            raise ConfigError(
                f"batch_gpu: got {config.batch_gpu}, expected a divisor of {share}, a process's share of the batch; "
                "change --batch-gpu"
            )


def open_folder(run_dir: Path, config: RunConfig, data_fingerprint: str, command: str) -> None:
    """Make the folder, or check that it holds a run that `config` goes on with; record configuration and command.

    Raises:
        ConfigError: the folder holds something else, or a run of other settings or pictures.
        CheckpointError: its config.json is damaged, or a file cannot be written.
    """
    check_folder(run_dir, config)
    if (run_dir / CONFIG_NAME).exists() and read_document(run_dir).get("data_fingerprint") != data_fingerprint:
        raise ConfigError(
            f"'{run_dir}' was trained on other pictures than '{config.data.path}'; give that data set or another --out"
        )
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the run folder '{run_dir}': {error.strerror}; give another --out") from None
    write_document(run_dir, "run", config, {"data_fingerprint": data_fingerprint})
    if not command:
        return
    try:
        with (run_dir / COMMAND_NAME).open("a", encoding="utf-8") as file:
            file.write(command + "\n")
    except OSError as error:
        raise CheckpointError(
            f"cannot write '{run_dir / COMMAND_NAME}': {error.strerror}; free space on that disk or give another --out"
        ) from None


def check_folder(run_dir: Path, config: RunConfig) -> None:
    """Check that a folder holds nothing, or a run that `config` goes on with.

    Raises:
        ConfigError: it holds something else, or a run of other settings.
        CheckpointError: its config.json is damaged.
    """
    if not (run_dir / CONFIG_NAME).exists():
        if run_dir.is_dir() and any(run_dir.iterdir()):
            raise ConfigError(f"'{run_dir}' is not empty and holds no run of limner; give another --out")
        return
    kind = read_document(run_dir)["kind"]
    if kind != "run":
        raise ConfigError(f"'{run_dir}' is a {kind}, not a run; give another --out")
    before = load_config(run_dir)
    changes = [row for row in difference(before, config) if not row[0].startswith(CHANGEABLE)]
    if changes:
        listing = ", ".join(f"{name}: {old!r} there, {new!r} now" for name, old, new in changes[:3])
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        raise ConfigError(
            f"'{run_dir}' holds a run of other settings ({listing}{more}); repeat its settings to go on, "
            "or give another --out"
        )
