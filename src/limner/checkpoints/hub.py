"""Snapshots on the Hugging Face hub: a repository holds one, its files as they are on disk, and a card that says what.

Only JSON, text and safetensors are ever pulled: nothing that is pulled can execute code. Who may write or read a
repository is decided by the login of huggingface_hub (`hf auth login`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limner import registry
from limner.checkpoints.io import find_snapshot, load_config, network_names, read_document
from limner.config import RunConfig
from limner.errors import CheckpointError, MissingExtraError

PATTERNS = ("*.safetensors", "config.json", "metrics.json", "README.md")
"""Files of a repository that are pushed and pulled."""


def push(snapshot: str | Path, repository: str, *, private: bool = False) -> str:
    """Upload a snapshot as one commit, making the repository when there is none, and return its address.

    Args:
        snapshot: see `checkpoints.io.find_snapshot`.
        repository: `user/name`.
        private: of a repository that is made: only its owner sees it.

    Raises:
        CheckpointError: no snapshot, or the hub refuses or is not reached.
        MissingExtraError: huggingface_hub is absent.
    """
    library = _library()
    folder = find_snapshot(snapshot)
    config, document = load_config(folder), read_document(folder)
    with tempfile.TemporaryDirectory() as place, _speaking(repository, "pushed to"):
        for file in (path for pattern in PATTERNS for path in folder.glob(pattern)):
            shutil.copy(file, place)
        Path(place, "README.md").write_text(card(repository, config, document, network_names(folder)), encoding="utf-8")
        api = library.HfApi(library_name="limner")
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=place, commit_message=f"Add a snapshot of {config.preset}")
    return str(address)


def pull(repository: str, folder: Path, *, revision: str | None = None) -> Path:
    """Download the snapshot in a repository to `folder`, and return that.

    Args:
        repository: `user/name`.
        folder: not there yet, or empty.
        revision: branch, tag or commit; None: the main branch.

    Raises:
        CheckpointError: the folder is in use, the hub refuses or is not reached, or there is no snapshot of limner.
        MissingExtraError: huggingface_hub is absent.
    """
    library = _library()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"'{folder}' is there already, and nothing is overwritten; choose another folder")
    temporary = folder.with_name(f".{folder.name}.pulling")  # kept after a broken download, which goes on from there
    with _speaking(repository, "pulled from"):
        library.snapshot_download(
            repository, revision=revision, local_dir=temporary, allow_patterns=list(PATTERNS), library_name="limner"
        )
    shutil.rmtree(temporary / ".cache", ignore_errors=True)  # huggingface_hub's own record of the download
    try:
        load_config(find_snapshot(temporary))
    except CheckpointError as error:
        shutil.rmtree(temporary)
        raise CheckpointError(f"{repository} holds no snapshot that 'limner push' wrote: {error}") from None
    temporary.replace(folder)
    return folder


def card(repository: str, config: RunConfig, document: Mapping[str, Any], networks: tuple[str, ...]) -> str:
    """Return the README.md of a repository: what the snapshot is, where it comes from, how it is used."""
    paper = registry.get("papers", config.generator_room).PAPER
    height, width = config.data.resolution
    trained = f", {document['kimg']:g} kimg" if "kimg" in document else ""
    source, licence = document.get("source"), document.get("licence")
    lines = [
        "---",
        "library_name: limner",
        "pipeline_tag: unconditional-image-generation",
        f"tags: [gan, {config.generator_room}]",
        *(["license: other"] if licence else []),
        "---",
        f"# {repository.rpartition('/')[2]}",
        "",
        f"A snapshot of preset `{config.preset}`, {height}x{width} pixels{trained}: {', '.join(networks)}. "
        f"Paper: {paper.title} (arXiv {paper.arxiv}).",
    ]
    if source:
        lines += ["", f"Converted from `{source['file']}` ({source['program']}), sha256 `{source['sha256']}`."]
    if licence:
        lines += ["", f"Licence of these weights: {licence}."]
    commands = (f"limner pull {repository} checkpoint", "limner generate checkpoint --seeds 0-15 --grid")
    return "\n".join([*lines, "", "```console", *(f"$ {command}" for command in commands), "```", ""])


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError(
            "the hub needs huggingface_hub, which is not installed; install the extra: pip install 'limner[hub]'"
        ) from None
    return huggingface_hub


@contextmanager
def _speaking(repository: str, what: str) -> Iterator[None]:
    """Turn what the hub answers, or that it does not, into a sentence."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (OSError, ValueError, HTTPError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{repository} could not be {what} the hub: {first}; check the name (user/name) and your login (hf auth "
            "login)"
        ) from None
