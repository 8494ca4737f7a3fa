"""Equalized layers against their formula, and what equalization promises: equal learning speed."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from ops import plain


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def effective(layer: EqualizedLinear | EqualizedConv2d) -> Tensor:
    return (layer.weight * layer.weight_gain).detach().clone()


def with_random_bias(layer: EqualizedLinear | EqualizedConv2d) -> EqualizedLinear | EqualizedConv2d:
    assert layer.bias is not None
    nn.init.normal_(layer.bias)
    return layer.double()


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
@pytest.mark.parametrize("activate", [False, True])
def test_linear_is_x_w_over_root_fan_in_plus_b_then_activated(activate: bool, lr_multiplier: float) -> None:
    layer = with_random_bias(EqualizedLinear(5, 3, activate=activate, lr_multiplier=lr_multiplier))
    x = torch.randn(4, 5).double()
    expected = x @ layer.weight.t() * lr_multiplier / math.sqrt(5) + layer.bias * lr_multiplier
    torch.testing.assert_close(layer(x), plain.leaky_relu(expected) if activate else expected)


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_the_multiplier_changes_neither_the_weights_at_the_start_nor_the_bias(lr_multiplier: float) -> None:
    layer = EqualizedLinear(256, 256, lr_multiplier=lr_multiplier, bias_init=1.0)
    assert effective(layer).std().item() == pytest.approx(1 / 16, rel=0.02)
    torch.testing.assert_close(layer(torch.zeros(1, 256)), torch.ones(1, 256))


def step(layer: EqualizedLinear, optimizer: type[torch.optim.Optimizer]) -> Tensor:
    """Move of the effective weight by one step on the same data from the same effective weight."""
    before = effective(layer)
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)).double()
    layer(x).square().sum().backward()
    optimizer(layer.parameters(), lr=0.001).step()  # type: ignore[call-arg]
    return effective(layer) - before


@pytest.mark.parametrize(("optimizer", "power"), [(torch.optim.Adam, 1), (torch.optim.SGD, 2)])
def test_a_step_moves_the_effective_weight_by_the_multiplier_under_adam_and_its_square_under_sgd(
    optimizer: type[torch.optim.Optimizer], power: int
) -> None:
    """Effective weight = m w, so w's gradient is m g: Adam's step ignores m and the move is m, SGD's move is m^2."""
    slow, fast = EqualizedLinear(5, 3, lr_multiplier=0.1).double(), EqualizedLinear(5, 3).double()
    with torch.no_grad():
        fast.weight.copy_(slow.weight * 0.1)
    torch.testing.assert_close(step(slow, optimizer), 0.1**power * step(fast, optimizer), rtol=1e-3, atol=1e-9)


def test_adam_moves_every_layer_by_the_same_share_of_its_initial_size_whatever_its_width() -> None:
    """ProGAN paper, Section 4.1: with weights of variance 1 a step of size lr is lr standard deviations."""
    for width in (4, 400):
        layer = EqualizedLinear(width, 3)
        before = layer.weight.detach().clone()
        layer(torch.randn(8, width)).square().sum().backward()
        torch.optim.Adam(layer.parameters(), lr=0.001).step()
        torch.testing.assert_close((layer.weight - before).abs(), torch.full_like(before, 0.001), rtol=1e-2, atol=0)


@pytest.mark.parametrize("activate", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_convolution_is_the_plain_one_with_scaled_weight(k: int, bias: bool, activate: bool) -> None:
    layer = EqualizedConv2d(3, 4, k, bias=bias, activate=activate, gain=0.5).double()
    x = torch.randn(2, 3, 5, 4).double()
    b = nn.init.normal_(layer.bias) if layer.bias is not None else None
    y = F.conv2d(x, layer.weight / math.sqrt(3 * k * k), b, padding=k // 2)
    torch.testing.assert_close(layer(x), 0.5 * (plain.leaky_relu(y) if activate else y))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_resampling_convolutions_filter_and_convolve(k: int, bias: bool) -> None:
    x = torch.randn(2, 3, 4, 6).double()
    for up, down, reference in ((2, 1, plain.upsample_conv2d), (1, 2, plain.downsample_conv2d)):
        layer = EqualizedConv2d(3, 4, k, bias=bias, up=up, down=down).double()
        b = nn.init.normal_(layer.bias)[:, None, None] if layer.bias is not None else 0.0
        expected = reference(x, layer.weight / math.sqrt(3 * k * k), plain.fir())
        torch.testing.assert_close(layer(x), plain.leaky_relu(expected + b))


def test_variance_is_kept_from_layer_to_layer() -> None:
    """Gain sqrt(2) after leaky ReLU keeps the mean square near 1 (exactly 1.04) for normal input."""
    y = EqualizedConv2d(64, 64, 3)(torch.randn(4, 64, 18, 18))[..., 1:-1, 1:-1]
    assert y.square().mean().item() == pytest.approx(1.04, abs=0.05)


@pytest.mark.parametrize("activate", [False, True])
def test_the_clamp_acts_in_half_precision_alone_and_before_the_gain(activate: bool) -> None:
    layer = EqualizedConv2d(1, 1, 1, activate=activate, gain=0.5, clamp=4.0)
    nn.init.ones_(layer.weight)
    x = torch.tensor([-1000.0, 1.0, 1000.0]).reshape(1, 1, 1, 3)
    assert layer(x).abs().max() > 400
    half = layer(x.half())
    assert half.dtype == torch.float16
    assert half.abs().max() == 2.0


@pytest.mark.parametrize(("up", "down", "k"), [(1, 1, 3), (2, 1, 3), (1, 2, 3), (2, 1, 1), (1, 2, 1)])
def test_first_and_second_derivatives_are_right(up: int, down: int, k: int) -> None:
    layer = with_random_bias(EqualizedConv2d(2, 2, k, up=up, down=down))
    x = torch.randn(1, 2, 4, 2).double().requires_grad_()

    def run(x: Tensor, *_: Tensor) -> Tensor:
        return layer(x)

    assert gradcheck(run, (x, *layer.parameters()))
    assert gradgradcheck(run, (x, *layer.parameters()))


def test_first_and_second_derivatives_of_the_linear_layer_are_right() -> None:
    layer = with_random_bias(EqualizedLinear(3, 2, activate=True, lr_multiplier=0.5))
    x = torch.randn(2, 3).double().requires_grad_()

    def run(x: Tensor, *_: Tensor) -> Tensor:
        return layer(x)

    assert gradcheck(run, (x, *layer.parameters()))
    assert gradgradcheck(run, (x, *layer.parameters()))


@pytest.mark.parametrize("activate", [False, True])
@pytest.mark.parametrize("gain", [1.0, 0.25])
def test_the_gains_multiply_the_result_or_the_weight_alone(gain: float, activate: bool) -> None:
    """StyleGAN2: lrelu(W x + b) sqrt(2) gain; ProGAN and StyleGAN: lrelu(sqrt(2) gain W x + b)."""
    x = torch.randn(4, 5).double()
    full = gain * (math.sqrt(2) if activate else 1)
    for bias_scaled in (True, False):
        layer = with_random_bias(EqualizedLinear(5, 3, activate=activate, gain=gain, bias_scaled=bias_scaled))
        y = x @ layer.weight.t() / math.sqrt(5) * full + layer.bias * (full if bias_scaled else 1)
        torch.testing.assert_close(layer(x), F.leaky_relu(y, 0.2) if activate else y)
        conv = with_random_bias(EqualizedConv2d(5, 3, 1, activate=activate, gain=gain, bias_scaled=bias_scaled))
        weight, bias = conv.weight[:, :, 0, 0] / math.sqrt(5) * full, conv.bias * (full if bias_scaled else 1)
        y = x @ weight.t() + bias
        torch.testing.assert_close(conv(x[:, :, None, None])[..., 0, 0], F.leaky_relu(y, 0.2) if activate else y)


def test_an_unscaled_bias_still_learns_at_the_multiplier_s_rate() -> None:
    layer = with_random_bias(EqualizedLinear(5, 3, activate=True, lr_multiplier=0.01, bias_scaled=False))
    torch.testing.assert_close(layer(torch.zeros(1, 5).double())[0], F.leaky_relu(layer.bias * 0.01, 0.2))


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.1])
def test_without_equalization_the_weights_are_drawn_at_he_s_size_and_used_as_they_are(lr_multiplier: float) -> None:
    linear = EqualizedLinear(256, 300, activate=True, gain=0.5, lr_multiplier=lr_multiplier, equalized=False)
    assert linear.weight_gain == lr_multiplier
    assert effective(linear).std().item() == pytest.approx(0.5 * math.sqrt(2 / 256), rel=0.02)
    conv = EqualizedConv2d(32, 64, 3, equalized=False)
    assert conv.weight_gain == 1
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.02)


def test_with_and_without_equalization_a_layer_has_the_same_result_for_the_same_effective_weight() -> None:
    x = torch.randn(2, 3, 5, 4).double()
    scaled, plain_layer = (with_random_bias(EqualizedConv2d(3, 4, 3, equalized=flag)) for flag in (True, False))
    with torch.no_grad():
        plain_layer.weight.copy_(scaled.weight * scaled.weight_gain)
        plain_layer.bias.copy_(scaled.bias)
    torch.testing.assert_close(plain_layer(x), scaled(x))


def test_adam_moves_small_weights_by_a_larger_share_without_equalization() -> None:
    """What ProGAN's Section 4.1 is about: the step is lr whatever the weight's size, so wide layers learn faster."""
    layer = EqualizedLinear(400, 3, equalized=False)
    before = layer.weight.detach().clone()
    layer(torch.randn(8, 400)).square().sum().backward()
    torch.optim.Adam(layer.parameters(), lr=0.001).step()
    share = (layer.weight - before).abs().mean() / before.std()
    assert share.item() == pytest.approx(0.001 * 20, rel=0.1)


def blurred(x: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    return F.conv2d(x, torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("resample", ["box", "blurred_box"])
def test_box_resampling_repeats_pixels_up_and_averages_down(
    resample: Literal["box", "blurred_box"], bias: bool, fused: bool
) -> None:
    x = torch.randn(2, 3, 4, 6).double()
    blur = blurred if resample == "blurred_box" else torch.nn.Identity()
    up = EqualizedConv2d(3, 4, 3, up=2, bias=bias, resample=resample, fused=fused).double()
    down = EqualizedConv2d(3, 4, 3, down=2, bias=bias, resample=resample, fused=fused).double()
    doubled = blur(F.conv2d(F.interpolate(x, scale_factor=2.0), up.weight / math.sqrt(27), padding=1))
    halved = F.avg_pool2d(F.conv2d(blur(x), down.weight / math.sqrt(27), padding=1), 2)
    for layer, y in ((up, doubled), (down, halved)):
        b = nn.init.normal_(layer.bias)[:, None, None] if layer.bias is not None else 0.0
        torch.testing.assert_close(layer(x), plain.leaky_relu(y + b))
        assert "kernel" not in dict(layer.named_buffers())


@pytest.mark.parametrize("resample", ["box", "blurred_box"])
@pytest.mark.parametrize(("up", "down"), [(2, 1), (1, 2)])
def test_first_and_second_derivatives_of_box_resampling_layers_are_right(
    up: int, down: int, resample: Literal["box", "blurred_box"]
) -> None:
    layer = with_random_bias(EqualizedConv2d(2, 2, 3, up=up, down=down, resample=resample, bias_scaled=False))
    x = torch.randn(1, 2, 4, 2).double().requires_grad_()

    def run(x: Tensor, *_: Tensor) -> Tensor:
        return layer(x)

    assert gradcheck(run, (x, *layer.parameters()))
    assert gradgradcheck(run, (x, *layer.parameters()))
