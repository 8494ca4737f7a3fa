"""The encoder in a file of IDInvert computes what its program is published to compute."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from checkpoints.official.foreign_files import write_torch
from limner.api.conversion import convert
from limner.checkpoints.networks import load_encoder, load_generator
from limner.errors import CheckpointError, ConfigError
from ops.plain_tensorflow import Tensors, draw
from papers.stylegan import published_maps as maps

WIDTHS = (4, 8, 10)
"""Channels at 16, 8 and 4 pixels: doubled, at most 10."""
NUM_VALUES = 6 * maps.W


def norm(rng: torch.Generator, name: str, channels: int) -> Tensors:
    """A normalisation whose scale is fixed at 1, as in the port."""
    return {
        f"{name}.weight": torch.ones(channels),
        f"{name}.bias": draw(rng, channels),
        f"{name}.running_mean": draw(rng, channels),
        f"{name}.running_var": draw(rng, channels).abs() + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def published_encoder(seed: int, *, bias: bool, nested: bool) -> Tensors:
    """`bias`: convolutions have one; `nested`: normalisations lie one level deeper."""
    rng, bn = torch.Generator().manual_seed(seed), "bn.bn" if nested else "bn"
    t = {"block0.conv.weight": draw(rng, WIDTHS[0], 3, 3, 3), **norm(rng, f"block0.{bn}", WIDTHS[0])}
    convolutions = {"block0.conv": WIDTHS[0]}
    for i, (before, after) in enumerate(itertools.pairwise(WIDTHS), 1):
        for conv, (k, into, out) in {
            "conv": (1, before, after),
            "conv1": (3, before, before),
            "conv2": (3, before, after),
        }.items():
            t[f"block{i}.{conv}.weight"] = draw(rng, out, into, k, k) * 0.3
            t |= norm(rng, f"block{i}." + bn.replace("bn", conv.replace("conv", "bn"), 1), out)
            convolutions[f"block{i}.{conv}"] = out
    t["block3.fc.weight"] = draw(rng, NUM_VALUES, WIDTHS[-1] * 16) * 0.1
    t |= norm(rng, f"block3.{bn}", NUM_VALUES)
    if bias:
        t |= {f"{name}.bias": draw(rng, channels) for name, channels in convolutions.items()}
        t["block3.fc.bias"] = draw(rng, NUM_VALUES)
    return t


def codes(t: Tensors, images: Tensor) -> Tensor:
    """Convolution, normalisation, leaky ReLU; a mean of 2 x 2 pixels before each residual block; a dense layer."""
    t = {re.sub(r"\.(bn\d?)\.bn\.", r".\1.", name): value for name, value in t.items()}

    def normalised(x: Tensor, name: str) -> Tensor:
        mean, var, shift = (
            t[f"{name}.{leaf}"].double()[None, :, None, None] for leaf in ("running_mean", "running_var", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() + shift

    def layer(x: Tensor, block: str, number: str = "") -> Tensor:
        weight, bias = t[f"{block}.conv{number}.weight"].double(), t.get(f"{block}.conv{number}.bias")
        x = F.conv2d(x, weight, None if bias is None else bias.double(), padding=weight.shape[-1] // 2)
        return F.leaky_relu(normalised(x, f"{block}.bn{number}"), 0.2)

    x = layer(images.double(), "block0")
    for block in ("block1", "block2"):
        x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        x = layer(x, block) + layer(layer(x, block, "1"), block, "2")
    x = x.flatten(1) @ t["block3.fc.weight"].double().T + t.get("block3.fc.bias", torch.zeros(())).double()
    return normalised(x[:, :, None, None], "block3.bn").reshape(len(images), 6, maps.W)


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    return write_torch(tmp_path / "generator.pth", maps.idinvert_generator(4))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_the_encoder_computes_what_is_published(tmp_path: Path, generator: Path, bias: bool, nested: bool) -> None:
    t = published_encoder(5, bias=bias, nested=nested)
    made = convert(write_torch(tmp_path / "encoder.pth", t), tmp_path / "ours", generator=generator)
    assert made.what == "idinvert of in-domain inversion (genforce) (encoder)"
    E = load_encoder(tmp_path / "ours").double()
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(E(images), codes(t, images), rtol=1e-5, atol=1e-5)
    assert load_generator(tmp_path / "ours").num_ws == 6


def test_an_encoder_without_its_generator_or_for_another_is_refused(
    tmp_path: Path, generator: Path, tiny_run: Path
) -> None:
    path = write_torch(tmp_path / "encoder.pth", published_encoder(5, bias=False, nested=True))
    with pytest.raises(CheckpointError, match=r"holds an encoder alone, which serves one generator.*--generator"):
        convert(path, tmp_path / "ours")
    with pytest.raises(CheckpointError, match=r"to codes of 42 numbers, expected .* for the generator of 16x16"):
        convert(path, tmp_path / "ours", generator=tiny_run)
    with pytest.raises(ConfigError, match=r"only a file that holds an encoder alone takes one"):
        convert(tiny_run, tmp_path / "ours", generator=generator)
    with pytest.raises(CheckpointError, match=r"need no generator beside them"):
        convert(generator, tmp_path / "ours", generator=tiny_run)


@pytest.mark.parametrize("name", ["block0.bn.running_mean", "block2.conv2.weight", "block3.fc.weight"])
def test_a_file_that_lacks_a_tensor_is_refused(tmp_path: Path, generator: Path, name: str) -> None:
    t = published_encoder(5, bias=False, nested=False)
    del t[name]
    with pytest.raises(CheckpointError):
        convert(write_torch(tmp_path / "encoder.pth", t), tmp_path / "ours", generator=generator)


def test_a_tensor_of_no_known_use_is_refused_by_its_name(tmp_path: Path, generator: Path) -> None:
    t = published_encoder(5, bias=False, nested=False) | {"block1.attention.weight": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"block1.attention.weight"):
        convert(write_torch(tmp_path / "encoder.pth", t), tmp_path / "ours", generator=generator)
