"""Modules and networks that contain one another, or are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkpoints.official.canary import refuse
from checkpoints.official.opcodes import (
    name,
    persistent_file,
    text,
)


def doubled_settings() -> bytes:
    """A dict that holds the dict before it twice, 60 deep."""
    step = b"}q\x01" + text("a") + b"h\x00s" + text("b") + b"h\x00sq\x000"
    return b"}q\x000" + step * 60 + b"h\x00"


def containing_itself() -> bytes:
    return b"}q\x00" + text("_modules") + b"h\x00s"


WALKS = {
    "settings that double": b"}" + text("_init_kwargs") + doubled_settings() + b"s",
    "settings in themselves": b"}" + text("_init_kwargs") + containing_itself() + b"s",
    "modules that are a dict of themselves": containing_itself(),
    "modules that are texts": b"}" + text("_modules") + b"}" + text("x") + text("y") + b"ss",
    "modules with numbers for names": b"}" + text("_modules") + b"}K\x01Nss",
    "parameters that are lists": b"}" + text("_parameters") + b"}" + text("x") + b"]ss",
    "parameters that are no dict": b"}" + text("_parameters") + b"]s",
}


@pytest.mark.parametrize("what", WALKS)
def test_modules_that_contain_one_another_or_nothing_are_refused(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pkl", persistent_file(WALKS[what]))


def test_a_module_in_itself_is_refused(tmp_path: Path) -> None:
    """The state is kept as value 0, and gets the module made from it as its own sub-module afterwards."""
    module = persistent_file(b"}q\x00")[3:-2]  # without the dict around it
    content = b"\x80\x04}" + module.replace(text("G_ema"), text("G_ema"), 1)
    loop = b"q\x01s0h\x00" + text("_modules") + b"}" + text("x") + b"h\x01ss0"
    value = b"}" + text("G_ema") + b"h\x01s."
    refuse(tmp_path / "x.pkl", content + loop + value, "contain one another")


def tensorflow_file(state: bytes) -> bytes:
    record = name("dnnlib.tflib.network", "Network") + b")\x81" + state + b"b"
    return b"\x80\x04" + record + b"q\x01" + b"h\x01h\x01\x87."


def entries(**values: bytes) -> bytes:
    return b"(" + b"".join(text(key) + value for key, value in values.items()) + b"d"


NETWORKS = {
    "no version": b"}",
    "version 5": entries(version=b"K\x05"),
    "variables that are a dict": entries(version=b"K\x04", variables=b"}"),
    "variables without names": entries(version=b"K\x04", variables=b"(K\x01l"),
    "variables that are texts": entries(version=b"K\x04", variables=b"(" + text("a") + text("b") + b"\x86l"),
    "components that are texts": entries(version=b"K\x04", components=entries(x=text("y"))),
    "components in themselves": entries(version=b"K\x04", components=b"}q\x00" + text("x") + b"h\x01s"),
    "nothing in it": entries(version=b"K\x04"),
}


@pytest.mark.parametrize("what", NETWORKS)
def test_tensorflow_networks_that_are_none_are_refused(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pkl", tensorflow_file(NETWORKS[what]))
