"""The one interface: every loss, with every penalty, against plain formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.errors import ConfigError
from limner.losses import hinge, logistic, lsgan, relativistic, wgan
from limner.losses.adversarial import LOSSES, Adversarial
from losses.critics import ConvCritic, LinearCritic

MODULES = {"logistic": logistic, "wgan": wgan, "lsgan": lsgan, "hinge": hinge, "relativistic": relativistic}
PENALTIES = {"r1_gamma": 3.0, "r2_gamma": 2.0, "gp_weight": 10.0, "gp_target": 2.0, "drift": 0.1}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pictures(n: int = 4) -> Tensor:
    return torch.randn(n, 2, 5, 6, dtype=torch.float64)


def test_the_names_are_those_of_the_modules() -> None:
    assert tuple(MODULES) == LOSSES


@pytest.mark.parametrize("loss", LOSSES)
def test_without_penalties_it_is_the_module_s_losses(loss: str) -> None:
    critic, reals, fakes = LinearCritic(2, 5, 6), pictures(), pictures()
    total, stats = Adversarial(loss=loss).discriminator_terms(critic, reals, fakes)
    real_logits, fake_logits = critic(reals), critic(fakes)
    torch.testing.assert_close(total, MODULES[loss].discriminator_loss(real_logits, fake_logits))
    expected = {"scores/real": real_logits.mean(), "scores/fake": fake_logits.mean()}
    if loss != "lsgan":
        expected["signs/real"] = real_logits.sign().mean()
    torch.testing.assert_close(stats, {key: value.detach() for key, value in expected.items()})
    adversarial = Adversarial(loss=loss)
    got = adversarial.generator_loss(fake_logits, real_logits)
    torch.testing.assert_close(got, MODULES[loss].generator_loss(fake_logits, real_logits))
    assert adversarial.uses_real_logits == (loss == "relativistic")


@pytest.mark.parametrize("loss", LOSSES)
def test_all_penalties_together_have_the_value_and_gradient_of_their_formulas(loss: str) -> None:
    ours, theirs = ConvCritic(2), ConvCritic(2, native=True)
    theirs.load_state_dict(ours.state_dict())
    reals, fakes, mix = pictures(), pictures(), torch.rand(4).double()
    total, stats = Adversarial(loss=loss, **PENALTIES).discriminator_terms(ours, reals, fakes, mix)

    def squared_norms(x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(theirs(x).sum(), x, create_graph=True)
        return gradient.square().sum((1, 2, 3))

    real_logits, fake_logits = theirs(reals), theirs(fakes)
    share = mix[:, None, None, None]
    penalty = (squared_norms(share * reals + (1 - share) * fakes).sqrt() - 2).square().mean() / 4
    r1, r2 = squared_norms(reals).mean(), squared_norms(fakes).mean()
    expected = MODULES[loss].discriminator_loss(real_logits, fake_logits)
    expected = expected + 3 / 2 * r1 + 2 / 2 * r2 + 10 * penalty + 0.1 * real_logits.square().mean()
    torch.testing.assert_close(total, expected)
    for key, value in {"r1_penalty": r1, "r2_penalty": r2, "gradient_penalty": penalty}.items():
        torch.testing.assert_close(stats[key], value.detach())
    grads = [
        torch.autograd.grad(value, list(critic.parameters())) for value, critic in ((total, ours), (expected, theirs))
    ]
    torch.testing.assert_close(*grads)


def test_of_a_linear_critic_r1_r2_and_gradient_penalty_are_those_of_its_weights() -> None:
    critic = LinearCritic(2, 5, 6)
    _, stats = Adversarial(loss="wgan", r1_gamma=1, r2_gamma=1, gp_weight=1).discriminator_terms(
        critic, pictures(), pictures(), torch.rand(4).double()
    )
    square = critic.weight.detach().square().sum()
    torch.testing.assert_close(stats["r1_penalty"], square)
    torch.testing.assert_close(stats["r2_penalty"], square)
    torch.testing.assert_close(stats["gradient_penalty"], (square.sqrt() - 1).square())


@pytest.mark.parametrize(
    ("penalties", "calls"), [({}, 2), ({"r1_gamma": 1.0, "r2_gamma": 1.0, "drift": 1.0}, 2), ({"gp_weight": 1.0}, 3)]
)
def test_d_sees_reals_and_fakes_apart_and_a_third_batch_for_the_gradient_penalty_alone(
    penalties: dict[str, float], calls: int
) -> None:
    critic, seen, reals, fakes = LinearCritic(2, 5, 6), [], pictures(), pictures()

    def logits_of(images: Tensor) -> Tensor:
        seen.append(images)
        return critic(images)

    Adversarial(loss="wgan", **penalties).discriminator_terms(logits_of, reals, fakes, torch.rand(4).double())
    assert len(seen) == calls
    assert torch.equal(seen[0], reals)
    assert torch.equal(seen[1], fakes)
    assert [images.requires_grad for images in seen[:2]] == ["r1_gamma" in penalties, "r2_gamma" in penalties]


def test_pictures_receive_no_gradients_and_statistics_carry_none() -> None:
    critic, reals, fakes = ConvCritic(2), pictures().requires_grad_(), pictures().requires_grad_()
    total, stats = Adversarial(loss="logistic", **PENALTIES).discriminator_terms(
        critic, reals, fakes, torch.rand(4).double()
    )
    total.backward()
    assert reals.grad is None
    assert fakes.grad is None
    assert not any(value.requires_grad for value in stats.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "hinje"}, r"loss: got 'hinje', expected one of logistic, wgan, .*Did you mean 'hinge'\?"),
        ({"loss": "wgan", "r1_gamma": -1.0}, "r1_gamma: got -1.0, expected >= 0"),
        ({"loss": "wgan", "gp_target": 0.0}, "gp_target: got 0.0, expected > 0"),
    ],
)
def test_unknown_losses_and_impossible_weights_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Adversarial(**arguments)


def test_a_gradient_penalty_without_a_mix_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gradient penalty \(gp_weight=10\) got no mix"):
        Adversarial(loss="wgan", gp_weight=10).discriminator_terms(LinearCritic(2, 5, 6), pictures(), pictures())


@pytest.mark.parametrize("lod", [0.0, 0.5, 1.0, 2.75])
def test_at_a_level_of_detail_the_penalties_are_those_of_pictures_scaled_up_to_full_size(lod: float) -> None:
    """Official training gives D pictures repeated 2^L x 2^L, which D averages down again."""
    critic, factor = ConvCritic(2), 2 ** int(lod)
    reals, fakes, mix = pictures(), pictures(), torch.rand(4).double()
    adversarial = Adversarial(loss="wgan", **PENALTIES)
    large = (F.interpolate(x, scale_factor=float(factor)) for x in (reals, fakes))
    expected, _ = adversarial.discriminator_terms(lambda x: critic(F.avg_pool2d(x, factor)), *large, mix)
    total, _ = adversarial.at(lod).discriminator_terms(critic, reals, fakes, mix)
    torch.testing.assert_close(total, expected)
