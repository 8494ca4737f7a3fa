"""LPIPS against the package `lpips` with the same backbone, and against its formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from features.plain import Oracle, pictures
from limner.errors import ShapeError
from limner.features import lpips, vgg
from limner.features.base import RANDOM
from limner.features.weights import locate, read_state

SEED = 2


@pytest.fixture(scope="module")
def network() -> lpips.LearnedDistance:
    return lpips.random(SEED)


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    images = pictures(4, 36, 48) / 127.5 - 1
    return images[:2], images[2:]


def test_distances_equal_those_of_the_package_lpips_with_the_same_weights(
    oracle: Oracle, pair: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    module = oracle("lpips", "lpips")
    theirs = module.LPIPS(net="vgg", verbose=False, pnet_rand=True)  # with the published heads
    state = vgg.random_state(vgg.Trunk(), SEED)
    named = {name.removeprefix("features."): value for name, value in state.items()}
    for index in range(1, 6):
        part = getattr(theirs.net, f"slice{index}")
        part.load_state_dict({name: named[name] for name in part.state_dict()}, assign=True)
    heads = read_state(locate("lpips_vgg").path)
    ours = lpips.build({**state, **heads}, RANDOM, "cpu")
    with torch.no_grad():
        expected = theirs(*pair).flatten()
    torch.testing.assert_close(ours.distance(*pair), expected, atol=1e-6, rtol=1e-5)


def test_distances_equal_the_formula_written_out(network: lpips.LearnedDistance, pair: tuple[Tensor, Tensor]) -> None:
    heads = lpips.random_heads(SEED)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    maps = [network.trunk((x - shift[:, None, None]) / scale[:, None, None]) for x in pair]
    expected = torch.zeros(2)
    for index, (a, b) in enumerate(zip(*maps, strict=True)):
        difference = (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square()  # [2, C, h, w]
        weighted = (difference * heads[f"lin{index}.model.1.weight"]).sum(1)  # [2, h, w]
        expected += weighted.mean((1, 2))
    torch.testing.assert_close(network.distance(*pair), expected, atol=1e-6, rtol=1e-5)


def test_a_picture_is_at_distance_zero_from_itself_and_distances_are_symmetric(
    network: lpips.LearnedDistance, pair: tuple[Tensor, Tensor]
) -> None:
    a, b = pair
    assert torch.equal(network.distance(a, a), torch.zeros(2))
    torch.testing.assert_close(network.distance(a, b), network.distance(b, a))
    assert network.distance(a, b).min() > 0.01


def test_the_gradient_equals_the_slope_of_the_distance(network: lpips.LearnedDistance) -> None:
    exact = lpips.random(SEED).double()
    a, b = (pictures(2, 18, 16) / 127.5 - 1).double().split(1)
    b.requires_grad_()
    (gradient,) = torch.autograd.grad(exact.distance(a, b).sum(), b)
    direction = torch.randn(b.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    step = 1e-6
    with torch.no_grad():
        slope = (exact.distance(a, b + step * direction) - exact.distance(a, b - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope[0], atol=1e-9, rtol=1e-4)


def test_places_without_activity_have_no_nan_in_their_gradient() -> None:
    """With weights of zero no channel is ever active."""
    state = {name: torch.zeros_like(value) for name, value in vgg.random_state(vgg.Trunk(), 0).items()}
    dead = lpips.build({**state, **lpips.random_heads(0)}, RANDOM, "cpu")
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    distance = dead.distance(x, -x)
    distance.sum().backward()
    assert torch.equal(distance.detach(), torch.zeros(1))
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_pictures_too_small_for_five_stages_are_refused(network: lpips.LearnedDistance) -> None:
    with pytest.raises(ShapeError, match="got pictures of 16x15 px, expected both sides of at least 16 px"):
        network.features(torch.zeros(1, 3, 15, 16))
    assert len(network.features(torch.zeros(1, 3, 16, 16))) == 5
