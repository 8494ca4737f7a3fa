"""A stand-in for huggingface_hub: repositories are folders, and who may use them is decided by the test."""

from __future__ import annotations

import fnmatch
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest


class HTTPError(Exception):
    """What the library raises when nothing answers."""


class HubError(HTTPError, OSError):
    """What it raises when the hub refuses."""


class FakeHub:
    """The functions limner calls, with the names and arguments of huggingface_hub 2."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commits: list[str] = []
        self.made: dict[str, bool] = {}
        self.failure: Exception | None = None

    def HfApi(self, *, library_name: str) -> FakeHub:
        assert library_name == "limner"
        return self

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
        if self.failure is not None:
            raise self.failure
        assert exist_ok
        self.made.setdefault(repo_id, private)
        return f"https://hub.example/{repo_id}"

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> None:
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)
        self.commits.append(commit_message)

    def snapshot_download(
        self, repo_id: str, *, revision: str | None, local_dir: Path, allow_patterns: list[str], library_name: str
    ) -> str:
        if self.failure is not None:
            raise self.failure
        assert library_name == "limner"
        source = self.root / repo_id / (revision or "")
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)
        for file in source.iterdir():
            if file.is_file() and any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, local_dir)
        return str(local_dir)


def install(root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """Have the stand-in imported in place of the library."""
    hub = FakeHub(root)
    library: Any = types.ModuleType("huggingface_hub")
    library.HfApi, library.snapshot_download = hub.HfApi, hub.snapshot_download
    library.errors = types.ModuleType("huggingface_hub.errors")
    library.errors.HTTPError = HTTPError
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", library.errors)
    return hub
