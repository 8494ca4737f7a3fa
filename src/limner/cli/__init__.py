"""The command line: `limner VERB ...`. One file a verb; a verb imports torch when it runs, never for its help.

Exit codes: 0 done; 1 a sentence on standard error says what was wrong; 2 the command line was misused; 130 Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from cyclopts import App, CycloptsError, UnusedCliTokensError

from limner import __version__
from limner.errors import LimnerError

VERBS = {
    "train": ("train",),
    "generate": ("generate", "gen-images"),
    "mix": ("mix", "style-mixing"),
    "interpolate": ("interpolate", "gen-video"),
    "prepare": ("prepare",),
    "dataset_tool": ("dataset-tool",),
    "evaluate": ("evaluate", "calc-metrics"),
    "figures": ("figures",),
    "ladder": ("ladder",),
    "invert": ("invert", "projector"),
    "directions": ("directions",),
    "edit": ("edit",),
    "diffuse": ("diffuse",),
    "attribute": ("attribute",),
    "study": ("study",),
    "convert": ("convert",),
    "zoo": ("zoo",),
    "push": ("push",),
    "pull": ("pull",),
    "info": ("info",),
    "presets": ("presets",),
}
"""File of this folder, and its function's name -> names of the command: ours, then the one NVIDIA's tools gave it."""

EPILOGUE = """
A first picture in three commands:

    limner train --data samples --out runs/first --preset stylegan2-tiny
    limner generate runs/first --seeds 0-35 --grid --out faces
    limner interpolate runs/first --seeds 1,2,3 --out walk.mp4
"""


def build_app() -> App:
    """Return the command line's parser."""
    app = App(
        name="limner",
        help="Train style-based GANs on your own pictures, and use them.",
        help_epilogue=EPILOGUE,
        help_format="markdown",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (verb, names) in enumerate(VERBS.items()):
        function = getattr(importlib.import_module(f"limner.cli.{verb}"), verb)
        app.command(function, name=names, help_epilogue="", sort_key=place)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words after `limner`; None: those of the process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            build_app()(words, exit_on_error=False, print_error=False)
            sys.stdout.flush()
        except CycloptsError as error:
            print(f"limner: {_misuse_text(error)} 'limner {_verb(words)}--help' tells more.", file=sys.stderr)
            return 2
        except LimnerError as error:
            print(f"limner: {type(error).__name__}: {_one_line(str(error))}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("limner: interrupted; what was written before is complete", file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader of our output has left, as in `limner presets | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one line, without the place in the code it comes from."""
    print(f"limner: {category.__name__}: {_one_line(str(message))}", file=sys.stderr)


def _misuse_text(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        unused = " ".join(error.unused_tokens or ())
        return f"Unexpected '{unused}'; a flag takes its value as --flag value, a switch as --switch or --switch=0."
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _verb(words: list[str]) -> str:
    known = {name for names in VERBS.values() for name in names}
    return f"{words[0]} " if words and words[0] in known else ""
