"""Every number of the presets against the tables of the official settings."""

from __future__ import annotations

import pytest

from limner.config import RunConfig, ScheduleConfig, difference
from limner.papers.base import PresetRequest
from limner.papers.stylegan2 import PRESETS, Discriminator, Generator

GROWING = ["stylegan2-config-b", "stylegan2-config-c", "stylegan2-config-d"]
GRID = [f"stylegan2-config-e-g{g}-d{d}" for g in ("orig", "skip", "resnet") for d in ("orig", "skip", "resnet")]

# Official StyleGAN2 settings: no ramp-up, no augmentation. Then StyleGAN2-ADA's.
#           native, kimg, batch, mbstd, channel base, lr, gamma, ema kimg, ramp, mapping layers, augment
TABLE = {
    **dict.fromkeys(GROWING, (1024, 25000, 32, 4, 16384, 0.001, 10, 10, None, 8, "none")),
    **dict.fromkeys(GRID, (1024, 25000, 32, 4, 16384, 0.002, 100, 10, None, 8, "none")),
    "stylegan2-config-e": (1024, 25000, 32, 4, 16384, 0.002, 100, 10, None, 8, "none"),
    "stylegan2-config-f": (1024, 25000, 32, 4, 32768, 0.002, 10, 10, None, 8, "none"),
    "stylegan2-ada-paper256": (256, 25000, 64, 8, 16384, 0.0025, 1, 20, None, 8, "ada"),
    "stylegan2-ada-paper512": (512, 25000, 64, 8, 32768, 0.0025, 0.5, 20, None, 8, "ada"),
    "stylegan2-ada-paper1024": (1024, 25000, 32, 4, 32768, 0.002, 2, 10, None, 8, "ada"),
    "stylegan2-ada-cifar": (32, 100000, 64, 32, 32768, 0.0025, 0.01, 500, 0.05, 2, "ada"),
}

# resolution, processes: batch, mbstd, channel base, lr, gamma, ema kimg; worked out by hand from the formula of `auto`
AUTO = {
    (64, 1): (32, 4, 16384, 0.0025, 0.0256, 10),  # 4096 / 64 = 64, at most 32 a process
    (128, 1): (32, 4, 16384, 0.0025, 0.1024, 10),
    (256, 1): (16, 4, 16384, 0.0025, 0.8192, 5),
    (512, 1): (8, 4, 32768, 0.0025, 6.5536, 2.5),
    (1024, 1): (4, 4, 32768, 0.002, 52.4288, 1.25),
    (256, 8): (64, 4, 16384, 0.0025, 0.2048, 20),  # 8 x 16 = 128, at most 64 in all
    (1024, 8): (32, 4, 32768, 0.002, 6.5536, 10),
    (1024, 32): (64, 2, 32768, 0.002, 3.2768, 20),  # two samples a process
    (1024, 128): (128, 1, 32768, 0.002, 1.6384, 40),  # at least one sample a process
}


def build(name: str, resolution: int | None = None, **request: float) -> RunConfig:
    size = None if resolution is None else (resolution, resolution)
    return PRESETS[name].build(PresetRequest(resolution=size, **request))  # type: ignore[arg-type]


def row(config: RunConfig) -> tuple[object, ...]:
    generator, discriminator = config.generator, config.discriminator
    assert generator.channel_base == discriminator.channel_base
    assert config.optimizer.g_lr == config.optimizer.d_lr
    return (
        config.total_kimg,
        config.batch,
        discriminator.mbstd_group,
        generator.channel_base,
        config.optimizer.g_lr,
        config.objective.r1_gamma,
        config.ema.kimg,
        config.ema.rampup,
        generator.mapping_layers,
        config.augment.mode,
    )


def test_the_room_has_the_presets_it_names() -> None:
    assert list(PRESETS) == [
        *GROWING,
        "stylegan2-config-e",
        "stylegan2-config-f",
        *GRID,
        "stylegan2-ada-auto",
        "stylegan2-ada-paper256",
        "stylegan2-ada-paper512",
        "stylegan2-ada-paper1024",
        "stylegan2-ada-cifar",
        "stylegan2-tiny",
    ]
    assert all(preset.name == name for name, preset in PRESETS.items())


@pytest.mark.parametrize("name", TABLE)
def test_a_published_preset_has_the_numbers_of_its_table(name: str) -> None:
    native, *expected = TABLE[name]
    config = build(name)
    assert config.generator.img_resolution == config.discriminator.img_resolution == (native, native)
    assert config.data.resolution == PRESETS[name].native_resolution == (native, native)
    assert row(config) == tuple(expected)


def architectures(name: str) -> tuple[str, str]:
    """Of G and D: those in the name, those that grow, or the paper's choice."""
    if name in GRID:
        g, d = name.removeprefix("stylegan2-config-e-g").split("-d")
        return g, d
    if name in GROWING:
        return "orig", "orig"
    return "skip", "orig" if name == "stylegan2-ada-cifar" else "resnet"


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "stylegan2-tiny"])
def test_what_all_official_runs_share(name: str) -> None:
    config = build(name)
    is_cifar = name == "stylegan2-ada-cifar"
    generator, discriminator, objective = config.generator, config.discriminator, config.objective
    assert (generator.z_dim, generator.w_dim, generator.channel_max) == (512, 512, 512)
    assert (generator.architecture, discriminator.architecture) == architectures(name)
    assert generator.growing == discriminator.growing == config.schedule.grow == (name in GROWING)
    assert (generator.mapping_lr_multiplier, generator.w_avg_beta, discriminator.mapping_layers) == (0.01, 0.995, 8)
    assert (generator.num_fp16_res, generator.conv_clamp, discriminator.num_fp16_res) == (4, 256, 4)
    assert discriminator.mbstd_features == 1
    assert generator.use_noise
    assert objective.r1_interval == (1 if name == "stylegan2-config-b" else 16)
    assert (objective.pl_interval, objective.pl_decay) == (4, 0.01)
    assert objective.pl_batch_shrink == 2
    assert objective.pl_weight == (0 if is_cifar or name in GROWING[:2] else 2)
    assert objective.style_mixing_prob == (0 if is_cifar else 0.9)
    assert (config.optimizer.beta1, config.optimizer.beta2, config.optimizer.eps) == (0, 0.99, 1e-8)
    assert (config.augment.target, config.augment.interval, config.augment.speed_kimg) == (0.6, 4, 500)
    assert config.augment.pipe == "bgc"
    assert not config.data.mirror
    assert config.schedule.lr_rampup_kimg == 0


@pytest.mark.parametrize(("resolution", "processes"), AUTO)
def test_auto_follows_its_formula(resolution: int, processes: int) -> None:
    batch, mbstd, channel_base, lr, gamma, ema_kimg = AUTO[resolution, processes]
    config = build("stylegan2-ada-auto", resolution, num_processes=processes)
    expected = (25000, batch, mbstd, channel_base, lr, pytest.approx(gamma), ema_kimg, 0.05, 2, "ada")
    assert row(config) == expected


def test_auto_with_a_batch_of_ones_own_keeps_to_the_formula() -> None:
    config = build("stylegan2-ada-auto", 256, batch=24, num_processes=2)
    assert (config.batch, config.discriminator.mbstd_group, config.ema.kimg) == (24, 4, 7.5)
    assert config.objective.r1_gamma == pytest.approx(2e-4 * 256**2 / 24)


def changes(above: str, below: str) -> dict[str, tuple[object, object]]:
    found = {path: (old, new) for path, old, new in difference(build(above), build(below))}
    del found["preset"]
    return found


def test_rungs_b_to_e_are_each_the_one_above_with_the_difference_of_its_row() -> None:
    b, c, d, e = (f"stylegan2-config-{row}" for row in "bcde")
    assert changes(b, c) == {"objective.r1_interval": (1, 16)}
    assert changes(c, d) == {"objective.pl_weight": (0, 2)}
    last = changes(d, e)
    schedule = {path: last.pop(path) for path in list(last) if path.startswith("schedule.")}
    assert "schedule.grow" in schedule
    assert build(e).schedule == ScheduleConfig()
    assert last == {
        "generator.growing": (True, False),
        "generator.architecture": ("orig", "skip"),
        "discriminator.growing": (True, False),
        "discriminator.architecture": ("orig", "resnet"),
        "objective.r1_gamma": (10, 100),
        "optimizer.g_lr": (0.001, 0.002),
        "optimizer.d_lr": (0.001, 0.002),
    }


@pytest.mark.parametrize("name", GRID)
def test_a_cell_of_the_grid_is_rung_e_with_its_architectures(name: str) -> None:
    assert set(changes("stylegan2-config-e", name)) <= {"generator.architecture", "discriminator.architecture"}


@pytest.mark.parametrize("name", GROWING)
def test_growing_rungs_have_the_official_schedule(name: str) -> None:
    schedule = build(name).schedule
    assert (schedule.grow, schedule.initial_resolution, schedule.reset_optimizers) == (True, 8, True)
    assert (schedule.stable_kimg, schedule.fade_kimg) == (600, 600)
    assert schedule.batch_by_resolution == {8: 256, 16: 128, 32: 64, 64: 32, 128: 32, 256: 32, 512: 32, 1024: 32}
    assert schedule.lr_by_resolution == {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}
    assert build(name, num_processes=8) == build(name)


def test_a_growing_rung_at_a_lower_resolution_stops_there() -> None:
    small, middle = build("stylegan2-config-b", 32), build("stylegan2-config-b", 256)
    assert (small.batch, small.schedule.batch_by_resolution) == (64, {8: 256, 16: 128, 32: 64})
    assert small.schedule.lr_by_resolution == {}
    assert middle.schedule.lr_by_resolution == {128: 0.0015, 256: 0.002}
    least = build("stylegan2-config-b", 4)
    assert (least.schedule.initial_resolution, least.batch, least.schedule.batch_by_resolution) == (4, 32, {4: 32})


def test_a_batch_of_ones_own_holds_at_every_resolution_of_a_growing_rung() -> None:
    config = build("stylegan2-config-c", 64, batch=16)
    assert (config.batch, config.schedule.batch_by_resolution) == (16, {})


def test_a_growing_rung_of_another_length_grows_in_proportion() -> None:
    config = build("stylegan2-config-d", 32, total_kimg=50)
    assert (config.total_kimg, config.schedule.stable_kimg, config.schedule.fade_kimg) == (50, 1.2, 1.2)
    assert build("stylegan2-config-e", 32, total_kimg=50).schedule == ScheduleConfig()


def test_config_f_is_config_e_with_twice_the_channels_and_a_tenth_of_the_penalty() -> None:
    e, f = build("stylegan2-config-e"), build("stylegan2-config-f")
    assert f.generator.channel_base == 2 * e.generator.channel_base
    assert f.objective.r1_gamma * 10 == e.objective.r1_gamma
    assert (f.total_kimg, f.batch, f.optimizer, f.ema, f.augment) == (
        e.total_kimg,
        e.batch,
        e.optimizer,
        e.ema,
        e.augment,
    )


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "stylegan2-ada-auto"])
@pytest.mark.parametrize("resolution", [32, 64, 512])
def test_a_rung_at_another_resolution_keeps_the_width_of_its_finest_layer(name: str, resolution: int) -> None:
    native, other = build(name), build(name, resolution)
    native_side = native.generator.img_resolution[0]
    assert other.generator.channel_base / resolution == native.generator.channel_base / native_side
    assert other.batch == other.schedule.batch_by_resolution.get(resolution, native.batch)
    assert (row(other)[0], row(other)[2]) == (row(native)[0], row(native)[2])
    assert row(other)[4:] == row(native)[4:]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_for_a_picture_of_any_shape_with_labels(name: str) -> None:
    request = PresetRequest(resolution=(16, 24), channels=1, c_dim=3, batch=8)
    config = PRESETS[name].build(request)
    assert (config.batch, config.data.cond, config.data.c_dim) == (8, True, 3)
    assert (config.data.channels, config.data.resolution) == (1, (16, 24))
    networks = Generator(config.generator), Discriminator(config.discriminator)
    assert all((n.img_resolution, n.img_channels, n.c_dim) == ((16, 24), 1, 3) for n in networks)


def test_the_tiny_preset_is_small_enough_for_a_processor() -> None:
    config = build("stylegan2-tiny")
    counts = [
        sum(parameter.numel() for parameter in network.parameters())
        for network in (Generator(config.generator), Discriminator(config.discriminator))
    ]
    assert max(counts) < 1_000_000
