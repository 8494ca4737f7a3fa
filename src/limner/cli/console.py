"""What the verbs share at the terminal: notices and progress on standard error, and the command line as text."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def notice(text: str, quiet: bool = False) -> None:
    """Print one line on standard error, unless quiet."""
    if not quiet:
        print(text, file=sys.stderr)


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error while entered, unless quiet or not a terminal.

    Yields:
        A function to call with (done, in all).
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


def command_line() -> str:
    """Return the command line of this process, to be pasted again."""
    return shlex.join(["limner", *sys.argv[1:]])
