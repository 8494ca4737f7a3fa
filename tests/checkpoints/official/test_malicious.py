"""Files that try to run code, to take memory or time, or to reach other files. None succeeds."""

from __future__ import annotations

import pickle
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest
import torch

from checkpoints.official.canary import canary, refuse, try_reading
from checkpoints.official.foreign_files import SOURCE, persistent, write_persistent, write_torch
from limner.checkpoints.official import quota as quotas
from limner.checkpoints.official.reader import read
from limner.checkpoints.official.torch_legacy import MAGIC_PICKLE
from limner.errors import CheckpointError

CODE = b"S'touch canary'\n"
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


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, member: str) -> bytes:
    return b"c" + module.encode() + b"\n" + member.encode() + b"\n"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def binary(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


@pytest.fixture(autouse=True)
def _read_once(tmp_path: Path) -> None:
    """What reading imports on its first use is imported before a canary sits."""
    for legacy in (False, True):
        write_torch(tmp_path / "first.pt", {"x": torch.zeros(1)}, legacy=legacy)
        read(tmp_path / "first.pt")


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


PICKLE_OF_CODE = b"\x80\x02" + call(name("os", "system"), CODE) + b"."
ORDERED = name("collections", "OrderedDict")
FLOATS = name("torch", "FloatStorage")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
NUMPY_EMPTY = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"(K\x00t", binary(b"b"))
F4 = call(name("numpy", "dtype"), text("f4"), b"I00\n", b"I01\n")


def numpy_state(shape: bytes, raw: bytes, kind: bytes = F4) -> bytes:
    return NUMPY_EMPTY + b"(K\x01" + shape + kind + b"\x89" + raw + b"tb"


def legacy_file(value: bytes, keys: bytes = b"(X\x01\x00\x00\x000l", data: bytes = b"", count: int = 2) -> bytes:
    head = MAGIC_PICKLE + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    return head + b"\x80\x02" + value + b"." + b"\x80\x02" + keys + b"." + struct.pack("<q", count) + data


def identity(numel: bytes = b"K\x02", kind: bytes = FLOATS, key: bytes = text("0")) -> bytes:
    return b"(" + text("storage") + kind + key + text("cpu") + numel + b"NtQ"


def tensor(
    storage: bytes, offset: bytes = b"K\x00", shape: bytes = b"K\x02\x85", strides: bytes = b"K\x01\x85"
) -> bytes:
    return call(REBUILD, storage, offset, shape, strides, b"\x89", ORDERED + b")R")


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


SIZES = {
    "a text of 4 GB": b"X\xff\xff\xff\xffabc",
    "a text of 16 EB": b"\x8d" + b"\xff" * 8 + b"abc",
    "bytes of 4 GB": b"B\xff\xff\xff\xffabc",
    "bytes of 16 EB": b"\x8e" + b"\xff" * 8,
    "a bytearray of 16 EB": b"\x96" + b"\xff" * 8,
    "a string of negative length": b"T\xff\xff\xff\xff",
    "a number of 2 GB": b"\x8b\xff\xff\xff\x7f",
    "a number of negative length": b"\x8b\xff\xff\xff\xff",
    "a number of 200 bytes": b"\x8a\xc8" + b"\x01" * 200,
    "a number of 4000 digits": b"L" + b"9" * 4000 + b"L\n",
    "a line without end": b"I" + b"1" * 10_000,
    "a frame of 16 EB": b"\x95" + b"\xff" * 8,
    "a kept value of number 2^32": b"j\xff\xff\xff\xff",
    "nothing to keep": b"\x94",
    "nothing to pop": b"0",
    "a tuple of nothing": b"\x87",
    "a group without a beginning": b"t",
    "a key without a value": b"(K\x01d",
    "an item for a list": b"](K\x01K\x02u",
    "an item for a dict": b"}K\x01a",
    "a number that is a word": b"Iseven\n",
    "a number with marks": b"I1_000\n",
    "a float that is a word": b"Fseven\n",
    "a text that is not Unicode": b"X\x02\x00\x00\x00\xff\xfe",
    "a quoted text without quotes": b"Sabc\n",
    "a quoted text with a wrong escape": b"S'\\x1'\n",
    "protocol 9": b"\x80\x09N",
    "no instruction": b"\xff",
    "an array of negative shape": numpy_state(b"J\xff\xff\xff\xff\x85", binary(b"1234")),
    "an array of 2^62 numbers": numpy_state(b"\x8a\x08" + b"\x00" * 7 + b"\x40\x85", binary(b"1234")),
    "an array of 40 sides": numpy_state(b"(" + b"K\x01" * 40 + b"t", binary(b"1234")),
    "an array of 2 numbers in 4 bytes": numpy_state(b"K\x02\x85", binary(b"1234")),
    "an array of half a number": numpy_state(b"K\x01\x85", binary(b"12345")),
    "an array with a shape of texts": numpy_state(text("x") + b"\x85", binary(b"1234")),
    "an array with a true side": numpy_state(b"\x88\x85", binary(b"1234")),
    "an array whose bytes are a list": numpy_state(b"K\x01\x85", b"]"),
    "an array whose bytes are wide text": numpy_state(b"K\x01\x85", text("\u20ac")),
    "an array without a type": numpy_state(b"K\x01\x85", binary(b"1234"), b"N"),
    "an array of a short state": NUMPY_EMPTY + b"(K\x01tb",
    "a scalar of too many bytes": call(name("numpy.core.multiarray", "scalar"), F4, binary(b"12345")),
    "a scalar without bytes": call(name("numpy.core.multiarray", "scalar"), F4),
    "a scalar without a type": call(name("numpy.core.multiarray", "scalar"), b"N", binary(b"1234")),
    "a dict of pairs that are none": call(ORDERED, b"(K\x01l"),
    "a set of a number": call(name("builtins", "set"), b"K\x01"),
    "a size of a number": call(name("torch", "Size"), b"K\x01"),
    "a device that is a number": call(name("torch", "device"), b"K\x01"),
    "a parameter of a text": call(name("torch._utils", "_rebuild_parameter"), text("x"), b"\x88"),
    "a tensor of a text": call(REBUILD, text("x"), b"K\x00", b")", b")"),
    "numbers after the file": b"",
}


@pytest.mark.parametrize("what", SIZES)
def test_declared_sizes_are_compared_with_what_is_there(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pkl", b"\x80\x04" + SIZES[what] + b"." * bool(SIZES[what]))


LEGACY = {
    "a shape of 2^40 numbers": legacy_file(tensor(identity(), shape=b"\x8a\x06\0\0\0\0\0\x01\x85"), data=bytes(8)),
    "a shape repeated by stride 0": legacy_file(
        tensor(identity(), shape=b"J\xff\xff\xff\x7f\x85", strides=b"K\x00\x85"), data=bytes(8)
    ),
    "a negative shape": legacy_file(tensor(identity(), shape=b"J\xff\xff\xff\xff\x85"), data=bytes(8)),
    "a negative stride": legacy_file(tensor(identity(), strides=b"J\xff\xff\xff\xff\x85"), data=bytes(8)),
    "a negative offset": legacy_file(tensor(identity(), offset=b"J\xff\xff\xff\xff"), data=bytes(8)),
    "an offset after the end": legacy_file(tensor(identity(), offset=b"K\x01"), data=bytes(8)),
    "more sides than strides": legacy_file(tensor(identity(), shape=b"K\x01K\x02\x86"), data=bytes(8)),
    "a storage of negative size": legacy_file(tensor(identity(b"J\xff\xff\xff\xff")), data=bytes(8)),
    "a storage of 2^62 numbers": legacy_file(tensor(identity(b"\x8a\x08" + b"\x00" * 7 + b"\x40")), data=bytes(8)),
    "a storage declared twice": legacy_file(
        b"(" + tensor(identity()) + tensor(identity(b"K\x03")) + b"l", data=bytes(8)
    ),
    "a storage of another count": legacy_file(tensor(identity()), data=bytes(8), count=3),
    "a storage that ends early": legacy_file(tensor(identity()), data=bytes(7)),
    "a storage of an unknown type": legacy_file(tensor(identity(kind=ORDERED)), data=bytes(8)),
    "a storage of a type that is text": legacy_file(tensor(identity(kind=text("FloatStorage"))), data=bytes(8)),
    "a storage with a number as key": legacy_file(tensor(identity(key=b"K\x00")), data=bytes(8)),
    "an unlisted storage": legacy_file(tensor(identity()), keys=b"(l", data=bytes(8)),
    "a listed storage that is not used": legacy_file(b"N", data=bytes(8)),
    "keys that are no list": legacy_file(tensor(identity()), keys=b"N", data=bytes(8)),
    "keys that are numbers": legacy_file(tensor(identity()), keys=b"(X\x01\x00\x00\x000K\x00l", data=bytes(8)),
    "an identity that is a text": legacy_file(text("storage") + b"Q", data=bytes(8)),
    "an identity of a module": legacy_file(b"(" + text("module") + b"K\x01K\x02K\x03K\x04tQ", data=bytes(8)),
    "a part of a storage": legacy_file(tensor(identity()[:-3] + b"(K\x01tt" + b"Q"), data=bytes(8)),
    "a big-endian machine": MAGIC_PICKLE + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": False}, 2) + b"N.",
    "protocol 1000": MAGIC_PICKLE + pickle.dumps(1000, 2),
    "code in place of the protocol": MAGIC_PICKLE + PICKLE_OF_CODE,
    "code in place of the machine's facts": MAGIC_PICKLE + pickle.dumps(1001, 2) + PICKLE_OF_CODE,
    "code in place of the keys": legacy_file(tensor(identity()), keys=PICKLE_OF_CODE[2:-1], data=bytes(8)),
    "a class in place of the keys": legacy_file(tensor(identity()), keys=ORDERED, data=bytes(8)),
}


@pytest.mark.parametrize("what", LEGACY)
def test_a_legacy_file_of_torch_is_checked_in_every_number(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pt", LEGACY[what])


def test_the_legacy_file_that_the_damaged_ones_are_made_from_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(legacy_file(tensor(identity()), data=struct.pack("<2f", 1.5, -2)))
    assert read(tmp_path / "x.pt")[0].tensor().tolist() == [1.5, -2]


# Bombs


BOMBS = {
    "too many instructions": b"N0" * (quotas.MAX_OPCODES // 2 + 1) + b"N",
    "too many sets": b"\x8f" * (quotas.MAX_OPCODES + 1),
    "too many marks": b"(" * 10_000,
    "too much text": (b"X" + struct.pack("<I", 2**20) + b"a" * 2**20) * 17,
    "numbers used a million times": (
        numpy_state(b"\x8a\x04\x00\x00\x04\x00\x85", binary(bytes(2**20))).replace(F4, F4, 1)
        + (b"q\x000" + NUMPY_EMPTY + b"0") * 10
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_file_that_costs_too_much_is_refused_in_time(tmp_path: Path, what: str) -> None:
    started = time.monotonic()
    refuse(tmp_path / "x.pkl", b"\x80\x04" + BOMBS[what] + b".")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("wrap", [b"\x86", b"\x86}" + text("x") + b"h\x00s"])
def test_a_billion_laughs_cost_nothing(tmp_path: Path, wrap: bytes) -> None:
    """Each value holds the one before twice; walked out there would be 2^60 of them."""
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04" + text("ha") + b"q\x00" + b"h\x00h\x00\x86q\x000h\x00" * 60 + b".")
    _, peak = try_reading(tmp_path / "x.pkl")
    assert peak < 2**22


def doubled_settings() -> bytes:
    """A dict that holds the dict before it twice, 60 deep."""
    step = b"}q\x01" + text("a") + b"h\x00s" + text("b") + b"h\x00sq\x000"
    return b"}q\x000" + step * 60 + b"h\x00"


def containing_itself() -> bytes:
    return b"}q\x00" + text("_modules") + b"h\x00s"


def persistent_file(state: bytes) -> bytes:
    fields = text("type") + text("class") + text("version") + b"K\x06" + text("class_name") + text("Generator")
    record = call(
        name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"(" + fields + text("state") + state + b"d"
    )
    return b"\x80\x04}" + text("G_ema") + record + b"s."


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


# Source code in a file


def test_source_code_in_a_checkpoint_is_kept_as_text_and_never_run(tmp_path: Path) -> None:
    module = persistent("Generator", {"synthesis.b4.const": torch.zeros(2, 4, 4)})
    value, _ = try_reading(write_persistent(tmp_path / "x.pkl", {"G_ema": module}))
    assert value["G_ema"].args[0]["module_src"] == SOURCE


def test_a_pickle_hidden_in_source_code_stays_bytes(tmp_path: Path) -> None:
    content = persistent_file(b"}").replace(text("Generator"), binary(PICKLE_OF_CODE), 1)
    refuse(tmp_path / "x.pkl", content, "no class or no state")


# Archives


def write_archive(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, content in members:
            archive.writestr(member, content)
        return archive.infolist()[-1]


GOOD_PICKLE = b"\x80\x02" + tensor(identity()) + b"."
GOOD = (("x/data.pkl", GOOD_PICKLE), ("x/data/0", struct.pack("<2f", 3, 4)))
ARCHIVES: dict[str, tuple[tuple[str, bytes], ...]] = {
    "a name that leaves the folder": (*GOOD, ("x/../../canary", b"")),
    "an absolute name": (*GOOD, ("/tmp/canary", b"")),
    "a name of another system": (*GOOD, ("C:canary", b"")),
    "a name with backslashes": (*GOOD, ("x\\..\\canary", b"")),
    "no pickle": GOOD[1:],
    "a pickle at the top": (("data.pkl", GOOD_PICKLE), GOOD[1]),
    "two pickles": (*GOOD, ("y/data.pkl", GOOD_PICKLE)),
    "code": (("x/data.pkl", PICKLE_OF_CODE), GOOD[1]),
    "no storage": GOOD[:1],
    "a short storage": (GOOD[0], ("x/data/0", b"1234567")),
    "a long storage": (GOOD[0], ("x/data/0", bytes(12))),
    "a storage of another folder": (("x/data.pkl", GOOD_PICKLE.replace(text("0"), text("../../y"))), GOOD[1]),
    "big-endian numbers": (*GOOD, ("x/byteorder", b"big")),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_is_checked_member_by_member(tmp_path: Path, what: str) -> None:
    write_archive(tmp_path / "made.zip", *ARCHIVES[what])
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes())


def test_the_archive_that_the_others_are_made_from_is_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.pt", *GOOD)
    assert read(tmp_path / "x.pt")[0].tensor().tolist() == [3, 4]


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "inner.pt", *GOOD)
    write_archive(tmp_path / "made.zip", ("x/inner.pt", (tmp_path / "inner.pt").read_bytes()))
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "without the one data.pkl")


def test_a_compressed_member_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD, ("x/bomb", bytes(2**24)), compression=zipfile.ZIP_DEFLATED)
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "compressed")


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        for member, content in GOOD[:1]:
            archive.writestr(member, content)
        link = zipfile.ZipInfo("x/data/0")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"/etc/passwd")
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "a link in it")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD, GOOD[1])
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "two members of one name")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        (16, 0xDEADBEEF, "checksum"),
        (24, 2**31 - 1, "declared longer"),
        (42, 2**30, "begin"),
        (20, 5, "declared longer"),
    ],
)
def test_the_numbers_of_an_archive_s_list_are_checked(tmp_path: Path, field: int, value: int, match: str) -> None:
    """Offsets in the last entry of the central directory: checksum, size, place, compressed size."""
    write_archive(tmp_path / "made.zip", *GOOD)
    content = bytearray((tmp_path / "made.zip").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + field : entry + field + 4] = struct.pack("<I", value)
    refuse(tmp_path / "x.pt", bytes(content), match)


def test_a_list_of_a_million_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD)
    content = (tmp_path / "made.zip").read_bytes()
    entry = content.rindex(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    listed = content[:entry] + content[entry:end] * 300_000 + content[end:]
    refuse(tmp_path / "x.pt", listed, "more than 20,000 members")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD)
    content = bytearray((tmp_path / "made.zip").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    refuse(tmp_path / "x.pt", bytes(content), "encrypted")


# Other files


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"hello", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08\x00", bytes(100)]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    refuse(tmp_path / "x.pkl", content)


def test_a_folder_a_missing_file_and_a_device_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pkl", Path("/dev/zero")):
        with canary(), pytest.raises(CheckpointError, match="is not a file"):
            read(path)
