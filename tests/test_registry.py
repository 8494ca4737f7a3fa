"""Parts are found by file name, and listing them imports none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from limner import registry
from limner.errors import ConfigError


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind of part whose folder holds two parts and what is not a part."""
    package = tmp_path / "parts_of_a_test"
    package.mkdir()
    for name in ["__init__", "base", "runner", "_private", "second"]:
        (package / f"{name}.py").write_text("VALUE = 2\n")
    (package / "broken.py").write_text("raise ImportError('imported')\n")
    (package / "first").mkdir()
    (package / "first" / "__init__.py").write_text("VALUE = 1\n")
    (package / "notes.txt").write_text("no module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.FOLDERS, "parts", "parts_of_a_test")
    yield "parts"
    for name in [name for name in sys.modules if name.startswith("parts_of_a_test")]:
        del sys.modules[name]


def test_files_and_folders_are_parts_but_machinery_is_not(kind: str) -> None:
    assert registry.names(kind) == ("broken", "first", "second")


def test_a_part_is_imported_by_its_name(kind: str) -> None:
    assert registry.get(kind, "first").VALUE == 1
    assert registry.get(kind, "second").VALUE == 2


def test_machinery_and_unknown_names_are_refused_with_the_closest(kind: str) -> None:
    message = r"there is no 'secnod' among the parts, expected one of: broken, first, second\. Did you mean 'second'\?"
    with pytest.raises(ConfigError, match=message):
        registry.get(kind, "secnod")
    for name in ["base", "_private", "first.deeper", ""]:
        with pytest.raises(ConfigError, match=f"there is no '{name}' among the parts"):
            registry.get(kind, name)


def test_an_error_inside_a_part_is_not_hidden(kind: str) -> None:
    with pytest.raises(ImportError, match="imported"):
        registry.get(kind, "broken")


@pytest.mark.parametrize("known", list(registry.FOLDERS))
def test_every_kind_of_part_has_a_folder(known: str) -> None:
    assert all(name.isidentifier() for name in registry.names(known))


def test_listing_the_papers_imports_no_torch() -> None:
    code = "import sys; from limner import registry; print(registry.names('papers'), 'torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "'stylegan2'" in answer.stdout
    assert answer.stdout.rstrip().endswith("False")
