"""The command line as a whole: help, exit codes, and one line for every error."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable

import pytest

import limner
from cli.conftest import Command
from limner.cli import VERBS, build_app, main
from limner.errors import ShapeError

NAMES = [name for names in VERBS.values() for name in names]


def raising(error: BaseException) -> Callable[..., None]:
    def presets() -> None:
        raise error

    return presets


def test_help_lists_the_verbs_and_three_commands_to_begin_with(command: Command) -> None:
    for words in (("--help",), ()):
        answer = command(*words)
        assert answer.code == 0
        assert all(name in answer.out for name in NAMES)
        assert "limner train --data samples --out runs/first --preset stylegan2-tiny" in answer.out


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_verb_has_examples_of_it(command: Command, name: str) -> None:
    answer = command(name, "--help")
    assert answer.code == 0
    verb = next(names[0] for names in VERBS.values() if name in names)
    assert f"\n limner {verb}" in answer.out


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["generate", "--help"], ["trian"], ["--version"]])
def test_help_and_misuse_import_no_torch(words: list[str]) -> None:
    code = f"import sys; from limner.cli import main; main({words!r}); sys.exit(100 * ('torch' in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr.decode()


def test_the_version_is_the_packages(command: Command) -> None:
    assert command("--version").out.strip() == limner.__version__


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], 'Unknown command "trian". Did you mean "train"?'),
        (["train", "--kmig", "3"], "Unknown option: --kmig. Did you mean --kimg? 'limner train --help' tells more."),
        (["train", "--batch", "many"], 'Invalid value for --batch: unable to convert "many" into int.'),
        (["train", "--augment", "adda"], 'Did you mean "ada"?'),
        (["train", "--mirror", "1"], "Unexpected '1'; a flag takes its value as --flag value"),
        (["generate"], "parameter --network requires an argument"),
        (["generate", "run", "--noise", "constant"], 'Did you mean "const"?'),
        (["mix", "run", "--rows", "1"], "--cols requires an argument"),
        (["prepare", "here"], "--dest requires an argument"),
    ],
)
def test_misuse_exits_2_with_one_line(command: Command, words: list[str], message: str) -> None:
    answer = command(*words)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("limner: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err


def test_an_error_of_ours_exits_1_with_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.cli.presets.presets", raising(ShapeError("mapping expects z of [N, 512],\n got [4]")))
    answer = command("presets")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "limner: ShapeError: mapping expects z of [N, 512], got [4]\n"


def test_a_mistake_of_ours_keeps_its_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.cli.presets.presets", raising(KeyError("oops")))
    with pytest.raises(KeyError, match="oops"):
        command("presets")


def test_ctrl_c_exits_130_with_a_sentence(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.cli.presets.presets", raising(KeyboardInterrupt()))
    answer = command("presets")
    assert answer.code == 130
    assert answer.err == "limner: interrupted; what was written before is complete\n"


def test_a_warning_is_one_line_without_a_place_in_the_code(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def presets() -> None:
        warnings.simplefilter("always")
        warnings.warn("the newest state is damaged", stacklevel=1)

    monkeypatch.setattr("limner.cli.presets.presets", presets)
    answer = command("presets")
    assert answer.err == "limner: UserWarning: the newest state is damaged\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    code = "import sys, limner.cli as c; p = c.importlib.import_module('limner.cli.presets'); "
    code += "p.presets = lambda: print('a line'); import time; time.sleep(0.3); sys.exit(c.main(['presets']))"
    script = f'({sys.executable} -c "{code}"; echo code $? >&2) | true'
    answer = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert answer.stderr == "code 1\n"


def test_the_installed_command_and_the_module_are_the_same() -> None:
    answer = subprocess.run([sys.executable, "-m", "limner", "trian"], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr.startswith('limner: Unknown command "trian"')


def test_every_verb_has_a_file_and_no_file_is_without_a_verb() -> None:
    app = build_app()
    for verb, names in VERBS.items():
        assert all(app[name].default_command.__name__ == verb for name in names)  # type: ignore[union-attr]


def test_words_of_the_process_are_taken_when_none_are_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["limner", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.strip() == limner.__version__
