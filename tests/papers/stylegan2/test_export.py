"""Networks written for other programs: what comes back, and what has no place there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from limner.checkpoints.io import read_networks, write_snapshot
from limner.checkpoints.official import Conversion, convert, export
from limner.config import DataConfig, RunConfig
from limner.errors import CheckpointError
from limner.papers.stylegan2 import (
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    ObjectiveConfig,
    export_official,
)
from limner.papers.stylegan2 import export as exporting
from papers.stylegan2 import published_maps_community as community

WIDE = {"img_resolution": (16, 16), "channel_base": 96, "channel_max": 8}
ROSINALITY = {"img_resolution": (8, 8), "channel_base": 16384, "channel_max": 512}
NETWORKS = ("generator_ema", "generator", "discriminator")


def run_config(shared: dict[str, Any], generator: dict[str, Any], discriminator: dict[str, Any]) -> RunConfig:
    G = GeneratorConfig(**{**shared, "z_dim": 7, "w_dim": 7, "mapping_layers": 3, "num_fp16_res": 0, **generator})
    D = DiscriminatorConfig(**{**shared, "num_fp16_res": 0, **discriminator})
    data = DataConfig(resolution=G.img_resolution, channels=G.img_channels, c_dim=G.c_dim, cond=G.c_dim > 0)
    return RunConfig(
        preset="stylegan2-config-f",
        room="stylegan2",
        data=data,
        generator=G,
        discriminator=D,
        objective=ObjectiveConfig(),
    )


def snapshot(folder: Path, config: RunConfig, names: tuple[str, ...] = NETWORKS) -> Path:
    """Networks with random numbers everywhere."""
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {}
    for name in names:
        make: Any = Discriminator(config.discriminator) if name == "discriminator" else Generator(config.generator)
        for tensor in make.state_dict().values():
            tensor.add_(torch.randn_like(tensor))
        networks[name] = make
    write_snapshot(folder, config, networks, {})
    return folder


def check_equal(
    source: Path, converted: Conversion, expected: RunConfig, skipped: Sequence[tuple[str, str]] = ()
) -> None:
    assert (converted.config.generator, converted.config.discriminator) == (expected.generator, expected.discriminator)
    for name, before in read_networks(source, NETWORKS).items():
        after = converted.networks[name].state_dict()
        assert after.keys() == before.keys()
        for key, tensor in before.items():
            assert torch.equal(after[key], tensor) or (name, key) in skipped, (name, key)


@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [
        ({}, {}),
        ({"architecture": "resnet"}, {"architecture": "skip"}),
        ({"z_dim": 5, "mapping_lr_multiplier": 0.02, "w_avg_beta": 0.99}, {"architecture": "orig", "mbstd_group": 8}),
        ({"c_dim": 3}, {"c_dim": 3, "mapping_layers": 0}),
        ({"c_dim": 3}, {"c_dim": 3, "mapping_layers": 2}),
        ({"img_channels": 1, "mapping_layers": 1}, {"img_channels": 1}),
        ({"use_noise": False}, {}),
    ],
)
def test_networks_come_back_from_nvidia_bit_for_bit(
    tmp_path: Path, generator: dict[str, Any], discriminator: dict[str, Any]
) -> None:
    config = run_config(WIDE, generator, discriminator)
    source = snapshot(tmp_path / "ours", config)
    export(source, tmp_path / "theirs.pkl", "nvidia")
    check_equal(source, convert(tmp_path / "theirs.pkl"), config)


def test_networks_come_back_from_rosinality_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its widths scaled down; a file without settings gives the smallest base and maximum with the same widths."""
    monkeypatch.setattr(exporting, "ROSINALITY_WIDTHS", (96,))
    shared = {"img_resolution": (16, 16), "channel_base": 96, "channel_max": 512}  # 24, 12 and 6 channels
    source = snapshot(tmp_path / "ours", run_config(shared, {}, {}))
    export(source, tmp_path / "theirs.pt", "rosinality")
    expected = run_config({**shared, "channel_max": 24}, {}, {})
    skipped = [("generator", "w_avg")]  # their file has one average of w, that of g_ema
    check_equal(source, convert(tmp_path / "theirs.pt"), expected, skipped)


@pytest.mark.parametrize("channel_base", [16384, 32768])
def test_a_file_for_rosinality_has_the_names_and_axes_its_networks_have(channel_base: int) -> None:
    """Against the tensors of its own networks at 16 pixels, but for their widths; ours need no memory here."""
    shared = {"img_resolution": (16, 16), "channel_base": channel_base, "channel_max": 512}
    config = run_config(shared, {}, {})
    with torch.device("meta"):
        networks = {"generator_ema": Generator(config.generator), "discriminator": Discriminator(config.discriminator)}
    written = export_official("rosinality", config, {name: module.state_dict() for name, module in networks.items()})
    assert set(written) == {"g", "g_ema", "d", "latent_avg"}
    for name, theirs in (("g_ema", community.rosinality_generator(0)), ("d", community.rosinality_discriminator(0))):
        assert written[name].keys() == theirs.keys()
        for key, tensor in theirs.items():
            assert written[name][key].ndim == tensor.ndim, key
            if "kernel" in key:
                torch.testing.assert_close(written[name][key], tensor)


def test_a_missing_generator_is_written_as_the_average(tmp_path: Path) -> None:
    source = snapshot(tmp_path / "ours", run_config(WIDE, {}, {}), ("generator_ema", "discriminator"))
    export(source, tmp_path / "x.pkl", "nvidia")
    networks = convert(tmp_path / "x.pkl").networks
    assert torch.equal(networks["generator"].state_dict()["w_avg"], networks["generator_ema"].state_dict()["w_avg"])


REFUSED = [
    ("nvidia", {"img_resolution": (16, 12)}, {}, {}, "squares"),
    (
        "nvidia",
        {},
        {"architecture": "orig", "growing": True},
        {"architecture": "orig", "growing": True},
        "one resolution",
    ),
    ("nvidia", {}, {"architecture": "orig"}, {}, "skip and resnet alone"),
    ("nvidia", {}, {"c_dim": 3, "label_norm": "joint"}, {"c_dim": 3}, "separate"),
    ("nvidia", {}, {}, {"mbstd_group": None}, "groups alone"),
    ("nvidia", {}, {}, {"mbstd_features": 2}, "discriminators of 1"),
    ("rosinality", ROSINALITY, {"c_dim": 3}, {"c_dim": 3}, "unconditional"),
    ("rosinality", ROSINALITY, {"img_channels": 1}, {"img_channels": 1}, "pictures of 3 alone"),
    ("rosinality", ROSINALITY, {"architecture": "resnet"}, {}, "skip alone"),
    ("rosinality", ROSINALITY, {}, {"architecture": "orig"}, "resnet alone"),
    ("rosinality", {}, {}, {}, "channel_multiplier"),
    ("rosinality", ROSINALITY, {"z_dim": 5}, {}, "z as long as w"),
    ("rosinality", ROSINALITY, {"mapping_lr_multiplier": 0.1}, {}, "0.01 alone"),
    ("rosinality", ROSINALITY, {}, {"mbstd_group": 8}, "groups of 4"),
    ("rosinality", ROSINALITY, {"use_noise": False}, {}, "with noise maps"),
]


@pytest.mark.parametrize(("to", "shared", "generator", "discriminator", "why"), REFUSED)
def test_a_network_the_other_program_does_not_have_is_refused(
    to: str, shared: dict[str, Any], generator: dict[str, Any], discriminator: dict[str, Any], why: str
) -> None:
    config = run_config({**WIDE, **shared}, generator, discriminator)
    with pytest.raises(CheckpointError, match=f"the other program knows no .*{why}"):
        export_official(to, config, {"generator_ema": {}, "discriminator": {}})


def test_a_refused_snapshot_leaves_no_file(tmp_path: Path) -> None:
    source = snapshot(tmp_path / "ours", run_config(WIDE, {}, {}))
    with pytest.raises(CheckpointError, match=r"ours' cannot be written for rosinality: the other program knows no"):
        export(source, tmp_path / "x.pt", "rosinality")
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_a_snapshot_without_a_discriminator_is_refused(tmp_path: Path) -> None:
    source = snapshot(tmp_path / "ours", run_config(WIDE, {}, {}), ("generator_ema",))
    with pytest.raises(CheckpointError, match="has no discriminator"):
        export(source, tmp_path / "x.pkl", "nvidia")
