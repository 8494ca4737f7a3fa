"""Path length against closed forms: linear generators, and a distance that is the mean squared difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from limner.metrics import runner
from limner.metrics.engine.sources import GeneratorPictures
from limner.metrics.path_length import METRICS, prepared, slerp, trimmed_mean
from limner.papers.base import Generator


class LinearGenerator(Generator):
    """Pictures are a linear map of w, and w a linear map of z."""

    def __init__(self, side=16, noise=0.0, dtype=torch.float64):
        super().__init__()
        self.img_resolution, self.img_channels, self.c_dim = (side, side), 3, 0
        self.z_dim, self.w_dim, self.num_ws, self.noise = 12, 12, 2, noise
        stream = torch.Generator().manual_seed(0)
        self.to_w = torch.randn(12, 12, generator=stream, dtype=dtype) / 4
        self.to_pixels = torch.randn(12, 3 * side * side, generator=stream, dtype=dtype) / 10
        self.register_buffer("w_avg", torch.zeros(12))

    @property
    def noise_shapes(self):
        return (self.img_resolution,) if self.noise else ()

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return (z.to(self.to_w.dtype) @ self.to_w)[:, None].repeat(1, 2, 1)

    def synthesis(self, ws, *, noise_mode="const", noises=None):
        images = (ws[:, 0] @ self.to_pixels).unflatten(1, (3, *self.img_resolution))
        return images + self.noise * noises[0] if self.noise else images


def value(name, generator, networks, seed=0):
    (result,) = runner.evaluate([name], GeneratorPictures(generator, seed=seed), networks=networks)
    return result.value


def ends(generator, count):
    source = GeneratorPictures(generator)
    return (source.draws(range(count), salt=salt).z.double() for salt in (0, 1))


def test_in_w_the_length_is_that_of_the_difference_of_the_ends(networks):
    """G(w + e (w' - w)) - G(w) = e J (w' - w): d / e^2 = |J (w' - w)|^2 / (3 H W), wherever on the path."""
    generator = LinearGenerator()
    a, b = ends(generator, 200)
    lengths = ((b - a) @ generator.to_w @ generator.to_pixels).square().mean(1)
    expected = trimmed_mean(lengths.numpy())
    assert value("ppl2_wend_200", generator, networks) == pytest.approx(expected, rel=1e-3)
    assert value("ppl_stlpips_w_200", generator, networks) == pytest.approx(expected, rel=1e-3)


def test_in_z_the_length_is_that_of_an_arc(networks):
    """The point at t moves along a great circle of radius sqrt(12) by its angle: d / e^2 = |J tangent|^2 / (3 H W)."""
    generator = LinearGenerator()
    a, b = (x / x.norm(dim=1, keepdim=True) for x in ends(generator, 200))
    cosine = (a * b).sum(1, keepdim=True)
    across = (b - cosine * a) / (b - cosine * a).norm(dim=1, keepdim=True)
    tangent = math.sqrt(12) * torch.acos(cosine) * across  # at t = 0
    lengths = (tangent @ generator.to_w @ generator.to_pixels).square().mean(1)
    got = value("ppl_stlpips_z_200", generator, networks)
    assert got == pytest.approx(trimmed_mean(lengths.numpy()), rel=2e-2)  # the chord turns by e / 2, and z is float32


def test_anywhere_on_a_straight_path_is_as_long_as_at_its_end(networks):
    generator = LinearGenerator()
    assert value("ppl_wfull_100", generator, networks) == pytest.approx(
        value("ppl_wend_100", generator, networks), rel=1e-2
    )


def test_noise_is_the_same_at_both_ends(networks):
    quiet, noisy = LinearGenerator(), LinearGenerator(noise=1.0)
    assert value("ppl2_wend_50", noisy, networks) == pytest.approx(value("ppl2_wend_50", quiet, networks), rel=1e-2)


def test_the_value_scales_with_the_square_of_the_pictures(networks):
    generator = LinearGenerator()
    before = value("ppl2_wend_50", generator, networks)
    generator.to_pixels *= 3
    assert value("ppl2_wend_50", generator, networks) == pytest.approx(9 * before, rel=1e-3)


def test_only_the_middle_is_compared_where_the_name_says_so(networks):
    generator = LinearGenerator()
    outside = torch.ones(3, 16, 16, dtype=torch.float64)
    outside[:, 6:14, 4:12] = 0
    generator.to_pixels *= outside.flatten()
    assert value("ppl_wend_20", generator, networks) == 0.0
    assert value("ppl2_wend_20", generator, networks) > 0


def test_a_face_is_cut_out_and_large_pictures_are_averaged_down():
    rows = torch.arange(64.0)[:, None].expand(64, 48)[None, None]
    cut = prepared(rows, crop=True)
    assert cut.shape == (1, 1, 32, 24)
    assert cut[0, 0, :, 0].tolist() == list(range(24, 56))
    assert prepared(torch.zeros(1, 3, 1024, 1024), crop=True).shape == (1, 3, 256, 256)  # StyleGAN's own rule
    assert prepared(torch.zeros(1, 3, 1024, 1024), crop=False).shape == (1, 3, 256, 256)
    assert prepared(torch.zeros(1, 3, 512, 384), crop=False).shape == (1, 3, 256, 192)
    assert prepared(torch.zeros(1, 3, 400, 400), crop=False).shape == (1, 3, 400, 400)


def test_arcs_begin_and_end_at_their_ends_with_constant_speed_and_length():
    a, b = (torch.randn(5, 7, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (0, 1))
    unit = [x / x.norm(dim=1, keepdim=True) * math.sqrt(7) for x in (a, b)]
    t = torch.zeros(5, 1, dtype=torch.float64)
    torch.testing.assert_close(slerp(a, b, t), unit[0])
    torch.testing.assert_close(slerp(a, b, t + 1), unit[1])
    middle = slerp(a, b, t + 0.5)
    torch.testing.assert_close(middle.norm(dim=1), torch.full((5,), math.sqrt(7), dtype=torch.float64))
    torch.testing.assert_close((middle - unit[0]).norm(dim=1), (middle - unit[1]).norm(dim=1))


def test_the_farthest_percent_at_either_end_is_left_out():
    values = np.random.RandomState(0).permutation(np.arange(1000.0))
    values[np.argmax(values)] = 1e12
    values[np.argmin(values)] = -1e12
    assert trimmed_mean(values) == pytest.approx(np.arange(9, 991).mean())  # the 1st percentile lies between 9 and 10
    assert trimmed_mean(np.array([5.0])) == 5.0


def test_paths_are_taken_in_float_not_bytes(networks):
    """Rounded to bytes, steps of 1e-4 would mostly give 0, and else a jump of a whole byte."""
    small = LinearGenerator()
    small.to_pixels /= 1000
    assert value("ppl2_wend_20", small, networks) == pytest.approx(
        value("ppl2_wend_20", LinearGenerator(), networks) / 1e6, rel=1e-3
    )


def test_a_value_does_not_depend_on_the_batch(networks):
    generated = GeneratorPictures(LinearGenerator())
    values = [
        runner.evaluate(["ppl_zfull_30"], generated, networks=networks, team=runner.Team(batch=batch))[0].value
        for batch in (4, 32)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "space", "sampling", "crop", "network"),
    [
        ("ppl_zfull", "z", "full", True, "lpips"),
        ("ppl_wfull", "w", "full", True, "lpips"),
        ("ppl_zend", "z", "end", True, "lpips"),
        ("ppl_wend", "w", "end", True, "lpips"),
        ("ppl2_wend", "w", "end", False, "lpips"),
        ("ppl_stlpips_w", "w", "end", False, "stlpips"),
    ],
)
def test_a_name_says_what_is_measured(name, space, sampling, crop, network):
    metric = METRICS[name]
    assert (metric.space, metric.sampling, metric.crop, metric.perceptual) == (space, sampling, crop, network)
    assert (metric.num_generated, metric.num_real) == (50_000, 0)
