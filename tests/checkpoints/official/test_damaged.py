"""Files cut short at every percent of their length, and mutated at random: tensors or a sentence, nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints.official.canary import try_reading
from checkpoints.official.foreign_files import persistent, write_persistent, write_tensorflow, write_torch
from limner.checkpoints.official.records import Array, Record
from limner.errors import CheckpointError

NETWORK = {"synthesis.b4.const": torch.arange(32.0).view(2, 4, 4), "mapping.w_avg": torch.zeros(3)}
VARIABLES = {"dlatent_avg": np.zeros(3, np.float32), "synthesis/4x4/Conv/mod_weight": np.ones((2, 3), np.float32)}
STATE_DICT = {"input.input": torch.zeros(1, 2, 4, 4), "conv1.conv.weight": torch.ones(1, 2, 2, 3, 3)}
WRITERS: dict[str, Callable[[Path], Path]] = {
    "nvidia-pytorch": lambda path: write_persistent(
        path, {"G_ema": persistent("Generator", NETWORK, z_dim=4), "G": persistent("Generator", NETWORK)}
    ),
    "nvidia-tensorflow": lambda path: write_tensorflow(path, dict.fromkeys(("G", "D", "Gs"), VARIABLES), lr=0.1),
    "nvidia-tensorflow, protocol 2": lambda path: write_tensorflow(
        path, dict.fromkeys(("G", "D", "Gs"), VARIABLES), protocol=2
    ),
    "torch, zip": lambda path: write_torch(path, {"g_ema": STATE_DICT, "latent_avg": torch.zeros(3)}),
    "torch, legacy": lambda path: write_torch(path, {"g_ema": STATE_DICT}, legacy=True),
}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A valid file of each format."""
    folder = tmp_path_factory.mktemp("valid")
    found = {}
    for number, (name, write) in enumerate(WRITERS.items()):
        found[name] = write(folder / str(number)).read_bytes()
        value, _ = try_reading(folder / str(number))
        assert not isinstance(value, CheckpointError), value
    return found


def check(path: Path, content: bytes) -> Any:
    """Read `content`, and copy every array that a reader would hand out."""
    path.write_bytes(content)
    value, peak = try_reading(path)
    assert peak < 2**24
    if isinstance(value, CheckpointError):
        assert "\n" not in str(value)
        return value
    waiting, seen = [value], 0
    while waiting and seen < 10_000:
        item, seen = waiting.pop(), seen + 1
        if isinstance(item, Array):
            with suppress(CheckpointError):  # declared, and its numbers are missing
                assert item.tensor().numel() * 8 <= 2**24
        elif isinstance(item, Record):
            waiting.append(item.state)
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
    return value


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_short_at_any_percent_is_refused(contents: dict[str, bytes], tmp_path: Path, name: str) -> None:
    content = contents[name]
    for percent in range(100):
        value = check(tmp_path / "x", content[: len(content) * percent // 100])
        assert isinstance(value, CheckpointError), percent


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_with_any_part_overwritten_gives_tensors_or_a_sentence(
    contents: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    content, rng = contents[name], random.Random(0)
    for _ in range(200):
        mutated = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 8))):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        check(tmp_path / "x", bytes(mutated))


@pytest.mark.parametrize("name", WRITERS)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_file_with_parts_removed_doubled_or_inserted_gives_tensors_or_a_sentence(
    contents: dict[str, bytes], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    content = contents[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.integers(0, 64)))
        middle = data.draw(st.one_of(st.binary(max_size=12), st.just(content[start:end] * 2)))
        content = content[:start] + middle + content[end:]
    check(tmp_path / "x", content)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=st.lists(
        st.sampled_from([bytes([code]) for code in (*b"(0125abdeghjlpqrstuIJKLMNQRSTUVX)]}BCcFG", *range(0x80, 0x99))])
        | st.binary(max_size=4)
        | st.sampled_from(
            [
                b"ctorch\nFloatStorage\n",
                b"ccollections\nOrderedDict\n",
                b"cargparse\nNamespace\n",
                b"cnumpy\ndtype\n",
                b"cos\nsystem\n",
                b"cnumpy.core.multiarray\n_reconstruct\n",
            ]
        ),
        max_size=60,
    )
)
def test_any_sequence_of_instructions_gives_a_value_or_a_sentence(tmp_path: Path, body: list[bytes]) -> None:
    check(tmp_path / "x", b"\x80\x04" + b"".join(body) + b".")
