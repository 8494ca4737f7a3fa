"""The READMEs: their map is the tree, their commands exist, and the Korean one says the same as the English one."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "limner"
READMES = ("README.md", "README.ko.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAP_ROOT = "src/limner/"
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:home|root|tmp|work|Users|mnt|opt)/\S*")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def pages() -> list[str]:
    """Every Markdown page of the repository, by its path in it."""
    folders = ("docs", "examples")
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))]
    return sorted(page.relative_to(ROOT).as_posix() for page in found)


def blocks(page: str, language: str) -> list[str]:
    """The content of every fenced block of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [content for found, content in FENCE.findall(text) if found == language]


def map_paths(readme: str) -> list[str]:
    """Paths below src/limner that the README's map names; folders end in a slash."""
    content = next(block for block in blocks(readme, "") if block.startswith(MAP_ROOT))
    folders: list[str] = []
    paths = []
    for line in content.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        assert depth >= 1, f"the map indents by two spaces, got: {line}"
        assert len(line.split()) > 1, f"the map says nothing about {name}"
        path = "".join(folders[: depth - 1]) + name
        folders = [*folders[: depth - 1], name]
        paths.append(path)
    return paths


def tree_paths() -> set[str]:
    """Packages and modules of src/limner; a package's own `__init__.py` goes without saying, except the top one."""
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    folders = {folder for module in modules for folder in module.parents if folder != Path(".")}
    named = {module for module in modules if module.name != "__init__.py" or module.parent == Path(".")}
    return {module.as_posix() for module in named} | {f"{folder.as_posix()}/" for folder in folders}


def command_lines(page: str) -> list[str]:
    """The commands of a page's console blocks."""
    lines = [line for content in blocks(page, "console") for line in content.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ").partition("  #")[0].strip() for line in lines if line.startswith("$ ")]


@functools.cache
def help_text(verb: str) -> str:
    """What `limner VERB --help` prints."""
    program = [sys.executable, "-c", "from limner.cli import main; main()", verb, "--help"]
    plain = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(program, capture_output=True, text=True, check=True, env=plain).stdout


@pytest.mark.parametrize("readme", READMES)
def test_the_map_names_every_module_and_nothing_else(readme: str) -> None:
    named = map_paths(readme)
    assert len(named) == len(set(named)), "a module is named twice"
    modules = {path for path in named if path.endswith((".py", "/"))}
    assert modules == tree_paths()
    assert [path for path in named if not (PACKAGE / path).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_lines_of_the_map_are_aligned(readme: str) -> None:
    content = next(block for block in blocks(readme, "") if block.startswith(MAP_ROOT))
    columns = {len(re.match(r"\s*\S+\s+", line)[0]) for line in content.splitlines()}  # type: ignore[index]
    assert len(columns) == 1


@pytest.mark.parametrize("readme", READMES)
def test_every_make_command_is_a_target_of_the_makefile(readme: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {line.split()[1] for line in command_lines(readme) if line.startswith("make ")}
    assert {"demo", "test"} <= used <= targets


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_of_a_readme_show_every_verb(readme: str) -> None:
    verbs = {shlex.split(line)[1] for line in command_lines(readme) if line.startswith("limner ")}
    assert verbs >= {"prepare", "train", "generate", "mix", "interpolate", "info"}


@pytest.mark.parametrize("page", pages())
def test_every_flag_of_a_limner_command_is_known_to_its_verb(page: str) -> None:
    commands = [shlex.split(line) for line in command_lines(page) if line.startswith("limner ")]
    unknown = [
        (words[1], flag)
        for words in commands
        for flag in (word.partition("=")[0] for word in words[2:] if word.startswith("--"))
        if not re.search(rf"(?<![\w-]){flag}(?![\w-])", help_text(words[1]))
    ]
    assert unknown == []


def test_both_readmes_give_the_same_commands_output_and_code() -> None:
    for language in ("console", "python", "sh"):
        assert blocks(READMES[0], language) == blocks(READMES[1], language)


def test_both_readmes_show_the_same_pictures_and_pages() -> None:
    links = [set(LINK.findall((ROOT / readme).read_text(encoding="utf-8"))) - set(READMES) for readme in READMES]
    assert links[0] == links[1]


@pytest.mark.parametrize("page", pages())
def test_links_of_a_page_resolve_and_no_path_of_a_machine_is_in_it(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []
    assert MACHINE_PATH.findall(text) == []
