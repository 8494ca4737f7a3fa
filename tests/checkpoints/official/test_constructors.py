"""Files that try to run code: by names, by calls, by state, by what they hide. None succeeds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from checkpoints.official.canary import refuse, try_reading
from checkpoints.official.foreign_files import SOURCE, persistent, write_persistent
from checkpoints.official.opcodes import (
    CODE,
    FLOATS,
    ORDERED,
    PICKLE_OF_CODE,
    binary,
    call,
    legacy_file,
    name,
    persistent_file,
    text,
)

NAMES = [
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("os", "popen"),
    ("os", "execv"),
    ("os", "remove"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "compile"),
    ("builtins", "open"),
    ("builtins", "__import__"),
    ("builtins", "getattr"),
    ("builtins", "setattr"),
    ("builtins", "map"),
    ("builtins", "type"),
    ("builtins", "object"),
    ("__builtin__", "eval"),
    ("__builtin__", "apply"),
    ("__main__", "main"),
    ("importlib", "import_module"),
    ("runpy", "run_path"),
    ("pty", "spawn"),
    ("code", "interact"),
    ("timeit", "timeit"),
    ("cProfile", "run"),
    ("socket", "create_connection"),
    ("urllib.request", "urlopen"),
    ("webbrowser", "open"),
    ("shutil", "rmtree"),
    ("pathlib", "PosixPath"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("marshal", "loads"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("functools", "partial"),
    ("functools", "reduce"),
    ("copyreg", "_reconstructor"),
    ("ctypes", "CDLL"),
    ("multiprocessing.util", "spawnv_passfds"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.serialization", "_legacy_load"),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"),
    ("torch.nn.modules.linear", "Linear"),
    ("numpy", "load"),
    ("numpy.core.multiarray", "fromfile"),
    ("numpy.testing._private.utils", "runstring"),
    ("torch_utils.persistence", "_src_to_module"),
    ("torch_utils.persistence", "persistent_class"),
    ("dnnlib.util", "open_url"),
    ("dnnlib.util", "call_func_by_name"),
    ("collections", "OrderedDict.__init__.__globals__"),
    ("torch.storage", "_load_from_bytes.__globals__"),
    ("", ""),
]


@pytest.mark.parametrize(("module", "member"), NAMES)
@pytest.mark.parametrize("way", ["GLOBAL", "STACK_GLOBAL", "NEWOBJ", "mention", "INST", "OBJ"])
def test_a_name_outside_the_list_is_refused_however_it_is_used(
    tmp_path: Path, module: str, member: str, way: str
) -> None:
    content = {
        "GLOBAL": call(name(module, member), CODE),
        "STACK_GLOBAL": text(module) + text(member) + b"\x93" + b"(" + CODE + b"tR",
        "NEWOBJ": name(module, member) + b"(" + CODE + b"t\x81",
        "mention": name(module, member),
        "INST": b"(" + CODE + b"i" + module.encode() + b"\n" + member.encode() + b"\n",
        "OBJ": b"(" + name(module, member) + CODE + b"o",
    }[way]
    refuse(tmp_path / "x.pkl", b"\x80\x04" + content + b".", "nothing in it was run")


STATES = {
    "a class gets attributes": ORDERED + b"}" + text("x") + b"K\x01sb",
    "a text gets attributes": text("x") + b"}" + text("y") + b"K\x01sb",
    "a list gets attributes": b"]}" + text("y") + b"K\x01sb",
    "None gets attributes": b"N}b",
    "a text is called": text("os.system") + b"(" + CODE + b"tR",
    "a number is called": b"K\x01)R",
    "a dict is called": b"})R",
    "an object of the file is called": name("argparse", "Namespace") + b")\x81" + b")R",
    "a type of storage is called": FLOATS + b")R",
    "the class of arrays is called": name("numpy", "ndarray") + b"(K\x05tR",
    "arguments are no tuple": ORDERED + b"]R",
    "keyword arguments": ORDERED + b")}" + text("x") + b"K\x01s\x92",
    "an extension code of 1 byte": b"\x82\x01",
    "an extension code of 2 bytes": b"\x83\x01\x00",
    "an extension code of 4 bytes": b"\x84\x01\x00\x00\x00",
    "a buffer outside of the file": b"\x97",
    "a persistent id": text("0") + b"Q",
    "a persistent id as a line": b"Pos.system\n",
    "an array of another class": call(name("numpy.core.multiarray", "_reconstruct"), ORDERED, b")", binary(b"b")),
    "an array of objects": call(name("numpy", "dtype"), text("O8"), b"I00\n", b"I01\n"),
    "an array of records": call(name("numpy", "dtype"), b"(l", b"I00\n", b"I01\n"),
    "a dtype that is text": call(name("numpy", "dtype"), text("S100000000"), b"I00\n", b"I01\n"),
    "code as a storage": call(name("torch.storage", "_load_from_bytes"), binary(PICKLE_OF_CODE)),
    "a pickle as text to encode": call(name("_codecs", "encode"), text("x"), text("rot13")) + CODE + b"\x93",
    "a storage in a storage": call(
        name("torch.storage", "_load_from_bytes"),
        binary(legacy_file(call(name("torch.storage", "_load_from_bytes"), binary(PICKLE_OF_CODE)))),
    ),
    "a class of the file in a storage": call(
        name("torch.storage", "_load_from_bytes"), binary(legacy_file(name("argparse", "Namespace") + b")\x81"))
    ),
    "a dict as a name": b"}" + b"}K\x01s",
    "a tuple as a name": b"}" + b")K\x01s",
    "a float as a name": b"}" + b"G" + struct.pack(">d", 1.5) + b"K\x01s",
    "a long number as a name": b"}" + b"\x8a\x09" + b"\x01" * 8 + b"\x00" + b"K\x01s",
    "bytes as a name": b"}" + binary(b"x") + b"K\x01s",
    "a list in a set": b"\x8f(]\x90",
    "a persistent object without a class": call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"}"),
    "a persistent object of a later version": call(
        name("torch_utils.persistence", "_reconstruct_persistent_obj"),
        b"("
        + text("type")
        + text("class")
        + text("version")
        + b"K\x07"
        + text("class_name")
        + text("G")
        + text("state")
        + b"}"
        + b"d",
    ),
}


@pytest.mark.parametrize("what", STATES)
def test_what_would_reach_behaviour_is_refused(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pkl", b"\x80\x04" + STATES[what] + b".")


def test_source_code_in_a_checkpoint_is_kept_as_text_and_never_run(tmp_path: Path) -> None:
    module = persistent("Generator", {"synthesis.b4.const": torch.zeros(2, 4, 4)})
    value, _ = try_reading(write_persistent(tmp_path / "x.pkl", {"G_ema": module}))
    assert value["G_ema"].args[0]["module_src"] == SOURCE


def test_a_pickle_hidden_in_source_code_stays_bytes(tmp_path: Path) -> None:
    content = persistent_file(b"}").replace(text("Generator"), binary(PICKLE_OF_CODE), 1)
    refuse(tmp_path / "x.pkl", content, "no class or no state")
