"""The presets: the published numbers, what the generator decides, and lengths."""

from __future__ import annotations

import dataclasses

import pytest

from limner.config import SourceConfig
from limner.papers.base import FinishedGenerator, PresetRequest
from limner.papers.idinvert import PRESETS
from limner.papers.stylegan2 import PRESETS as STYLEGAN2
from limner.training.schedule import moment


def finished(side: int = 32, channels: int = 3, c_dim: int = 0) -> FinishedGenerator:
    config = STYLEGAN2["stylegan2-tiny"].build(
        PresetRequest(resolution=(side, side // 2), channels=channels, c_dim=c_dim)
    )
    return FinishedGenerator(
        source=SourceConfig(path="there", room="stylegan2", fingerprint="f"),
        generator=config.generator,
        discriminator=config.discriminator,
        z_dim=7,
        w_dim=48,
        num_ws=9,
    )


def test_the_published_run_has_the_official_settings() -> None:
    config = PRESETS["idinvert-ffhq-256"].build(PresetRequest())
    assert (config.total_kimg, config.batch, config.data.mirror) == (14000, 128, True)
    assert (config.optimizer.g_lr, config.optimizer.d_lr, config.optimizer.beta1, config.optimizer.beta2) == (
        *(1e-4, 1e-4),
        *(0.9, 0.99),
    )
    assert (config.objective.pixel_weight, config.objective.adversarial_weight, config.objective.r1_gamma) == (
        1,
        0.1,
        10,
    )
    assert (config.encoder.channels, config.encoder.channel_max, config.encoder.norm) == (64, 512, "batch")
    assert (config.encoder.num_ws, config.encoder.w_dim, config.encoder.space) == (14, 512, "w+")


def test_the_learning_rate_ends_where_the_official_one_really_did() -> None:
    """0.8 eight times, since the official counter of steps advances twice an iteration: 1.7e-5, not 4.1e-5."""
    config = PRESETS["idinvert-ffhq-256"].build(PresetRequest())
    assert moment(config, 0).g_lr == 1e-4
    assert moment(config, 14_000_000).g_lr == pytest.approx(1e-4 * 0.8**8)
    assert moment(config, 14_000_000).d_lr == pytest.approx(1.7e-5, rel=0.02)


@pytest.mark.parametrize("name", PRESETS)
def test_a_run_of_another_length_decays_in_proportion(name: str) -> None:
    config = PRESETS[name].build(PresetRequest(total_kimg=4.0, batch=3))
    assert (config.total_kimg, config.batch) == (4, 3)
    assert moment(config, 4000).g_lr == pytest.approx(config.optimizer.g_lr * 0.8**8)


@pytest.mark.parametrize("name", PRESETS)
def test_sizes_and_latents_are_those_of_the_generator(name: str) -> None:
    generator = finished(channels=4, c_dim=3)
    config = PRESETS[name].build(PresetRequest(channels=4, c_dim=3, generator=generator))
    assert config.data.resolution == config.encoder.img_resolution == (32, 16)
    assert config.encoder.img_channels == 4
    assert (config.encoder.z_dim, config.encoder.w_dim, config.encoder.num_ws) == (7, 48, 9)
    assert (config.generator, config.discriminator) == (generator.generator, generator.discriminator)
    assert (config.generator_from, config.generator_room) == (generator.source, "stylegan2")
    assert FinishedGenerator.of(config) == generator


@pytest.mark.parametrize("name", PRESETS)
def test_no_generator_is_made_up(name: str) -> None:
    config = PRESETS[name].build(PresetRequest(resolution=(32, 32)))
    assert (config.generator, config.discriminator, config.generator_room) == (None, None, "")
    assert config.encoder.num_ws == 8
    assert FinishedGenerator.of(config) is None


def test_the_conventional_encoder_differs_in_what_it_learns_from_alone() -> None:
    one, other = (PRESETS[name].build(PresetRequest()) for name in ("idinvert-tiny", "conventional-encoder-tiny"))
    assert dataclasses.replace(other, preset=one.preset, objective=one.objective) == one
    assert (one.objective.learn_from, other.objective.learn_from) == ("pictures", "codes")
