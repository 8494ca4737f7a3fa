"""Errors a user can act on."""

from __future__ import annotations

import inspect

import pytest

from limner import errors
from limner.errors import LimnerError, closest

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_a_limner_error_that_keeps_its_sentence(error: type[Exception]) -> None:
    assert issubclass(error, LimnerError)
    assert str(error("got this, expected that; do so")) == "got this, expected that; do so"
    assert error.__doc__


def test_no_error_is_an_error_of_python() -> None:
    assert LimnerError.__mro__[1] is Exception
    assert all(error.__mro__[1] in (LimnerError, Exception) for error in CLASSES)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("stylegan2-tiney", "stylegan2-tiny"), ("tiny", "stylegan2-tiny"), ("progan", "progan-a"), ("xyz", None)],
)
def test_the_closest_name_is_suggested_when_there_is_one(name: str, suggestion: str | None) -> None:
    expected = f" Did you mean '{suggestion}'?" if suggestion else ""
    assert closest(name, iter(["stylegan2-tiny", "progan-a"])) == expected


def test_nothing_is_closest_among_nothing() -> None:
    assert closest("a", []) == ""


def test_a_name_is_not_suggested_for_itself() -> None:
    assert closest("z", ["z", "w"]) == ""
    assert closest("avatars", ["avatars", "avatars-64"]) == " Did you mean 'avatars-64'?"
