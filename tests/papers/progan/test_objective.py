"""The phases on networks simple enough to compute every loss by hand, then on real ones against torch's derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.losses.adversarial import LOSSES
from limner.papers.base import Batch, ObjectiveContext
from limner.papers.progan import Discriminator, Generator, Objective, ObjectiveConfig
from limner.papers.progan.objective import class_loss
from papers.progan.test_discriminator import plain_outputs
from papers.stylegan2.conftest import SeededDraws

PIXELS = (1, 2, 3)
CLASSES = 2


class LinearGenerator(nn.Module):
    """images = A z with the number of the class added to z; remembers the levels of detail it was asked for."""

    z_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(math.prod(PIXELS), 4).double())
        self.lods: list[float] = []

    def mapping(self, z: Tensor, c: Tensor | None) -> Tensor:
        z = z if c is None else z + c.argmax(1, keepdim=True)
        return z[:, None]

    def synthesis_network(self, ws: Tensor, lod: float) -> Tensor:
        self.lods.append(lod)
        return (ws[:, 0] @ self.matrix.t()).reshape(-1, *PIXELS)


class LinearDiscriminator(nn.Module):
    """score = weight . picture, class logits = matrix picture; noise disturbs the flat picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(math.prod(PIXELS)).double())
        self.matrix = nn.Parameter(torch.randn(CLASSES, math.prod(PIXELS)).double())
        self.lods: list[float] = []

    def score_and_classes(self, images: Tensor, *, lod: float, noise: Any) -> tuple[Tensor, Tensor]:
        self.lods.append(lod)
        flat = images.flatten(1) if noise is None else noise(images.flatten(1))
        return flat @ self.weight[:, None], flat @ self.matrix.t()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def linear(context: ObjectiveContext | None = None, **settings: Any) -> Objective:
    networks: Any = (LinearGenerator(), LinearDiscriminator())
    return Objective(ObjectiveConfig(**settings), *networks, context or ObjectiveContext()).double()


def batch_of(count: int, *, lod: float = 0.0, c: Tensor | None = None, **arguments: Any) -> Batch:
    return Batch(torch.randn(count, *PIXELS).double(), c, SeededDraws(count, **arguments), lod)


def scores(objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
    """D of the real pictures and of those of the first latents drawn, [N] each."""
    z = batch.draws.normal[0]  # type: ignore[attr-defined]
    weight = objective.D.weight
    return batch.images.flatten(1) @ weight, z @ objective.G.matrix.t() @ weight


def gradient(values: dict[str, Tensor], parameter: Tensor) -> Tensor:
    return torch.autograd.grad(values["loss"], parameter)[0]


def test_d_moves_first_and_g_once_in_its_repeats() -> None:
    rows = [(phase.name, phase.module, phase.interval, phase.needs_images) for phase in linear().phases()]
    assert rows == [("D", "D", 1, True), ("G", "G", 1, False)]
    assert [phase.interval for phase in linear(d_repeats=5).phases()] == [1, 5]


@pytest.mark.parametrize("loss", LOSSES)
def test_g_looks_at_real_pictures_only_for_a_loss_that_compares(loss: str) -> None:
    assert linear(loss=loss).phases()[1].needs_images is (loss == "relativistic")


def test_wgan_gp_of_linear_networks_is_the_papers_formula() -> None:
    """D(fake) - D(real) + 10 (|w| - 750)^2 / 750^2 + 0.001 D(real)^2: the gradient of a linear D is w everywhere."""
    objective, batch = linear(gp_target=750.0), batch_of(6)
    values = objective.loss_D(batch)
    real, fake = scores(objective, batch)
    penalty = (objective.D.weight.norm() / 750 - 1) ** 2
    expected = fake.mean() - real.mean() + 10 * penalty + 0.001 * real.square().mean()
    torch.testing.assert_close(values["loss"], expected)
    torch.testing.assert_close(values["gradient_penalty"], penalty)
    torch.testing.assert_close(values["scores/real"], real.mean())
    torch.testing.assert_close(values["scores/fake"], fake.mean())
    torch.testing.assert_close(gradient(values, objective.D.weight), gradient({"loss": expected}, objective.D.weight))
    assert torch.autograd.grad(values["loss"], objective.G.matrix, allow_unused=True)[0] is None


def test_the_loss_of_g_is_the_mean_of_minus_the_scores() -> None:
    objective, batch = linear(), batch_of(6)
    values = objective.loss_G(batch)
    _, fake = scores(objective, batch)
    torch.testing.assert_close(values["loss"], -fake.mean())
    torch.testing.assert_close(values["scores/fake"], fake.mean())
    z = batch.draws.normal[0]  # type: ignore[attr-defined]
    torch.testing.assert_close(gradient(values, objective.G.matrix), -torch.outer(objective.D.weight, z.mean(0)))


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_r1_and_r2_of_linear_networks_are_half_their_weight_times_the_squared_gradient(weight: float) -> None:
    settings: dict[str, Any] = {"loss": "logistic", "gp_weight": 0.0, "drift": 0.0}
    objective, batch = linear(r1_gamma=weight, r2_gamma=2 * weight, **settings), batch_of(5)
    values = objective.loss_D(batch)
    real, fake = scores(objective, batch)
    expected = F.softplus(-real).mean() + F.softplus(fake).mean()
    expected = expected + (weight / 2 + weight) * objective.D.weight.square().sum()
    torch.testing.assert_close(values["loss"], expected)


def rewound(batch: Batch) -> Batch:
    """The same batch with the same random numbers to come."""
    return Batch(batch.images, batch.c, SeededDraws(len(batch.images)), batch.lod)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_pulls_g_towards_what_d_takes_for_real(loss: str) -> None:
    """A step of G against its gradient moves the scores of its pictures towards those of real ones."""
    objective, batch = linear(loss=loss, gp_weight=0.0), batch_of(64)
    values = objective.loss_G(batch)
    _, before = scores(objective, batch)
    step = gradient(values, objective.G.matrix)
    with torch.no_grad():
        objective.G.matrix -= 1e-3 * step
    _, after = scores(objective, batch)
    if loss == "lsgan":  # real is 0
        assert after.square().mean() < before.square().mean()
    else:
        assert after.mean() > before.mean()


def test_the_auxiliary_classifier_adds_softmax_cross_entropy_on_reals_and_fakes() -> None:
    labels = torch.eye(CLASSES).double()
    own = labels[[0, 1, 1, 0, 1]]
    objective = linear(gp_weight=0.0, drift=0.0, class_weight=2.0)
    table = labels[[1, 1, 1]]
    batch = batch_of(5, c=own, labels=table)
    values = objective.loss_D(batch)
    z = batch.draws.normal[0] + 1  # type: ignore[attr-defined]
    fakes, reals = z @ objective.G.matrix.t(), batch.images.flatten(1)
    entropies = [
        -torch.log_softmax(pictures @ objective.D.matrix.t(), 1)[torch.arange(5), c.argmax(1)].mean()
        for pictures, c in ((reals, own), (fakes, labels[[1] * 5]))
    ]
    wasserstein = (fakes @ objective.D.weight).mean() - (reals @ objective.D.weight).mean()
    torch.testing.assert_close(values["loss"], wasserstein + 2 * (entropies[0] + entropies[1]))
    torch.testing.assert_close(values["classes/real"], entropies[0])
    torch.testing.assert_close(values["classes/fake"], entropies[1])
    torch.testing.assert_close(
        objective.loss_G(Batch(batch.images, own, SeededDraws(5, labels=table)))["loss"],
        2 * entropies[1] - (fakes @ objective.D.weight).mean(),
    )


def test_an_undecided_classifier_costs_the_logarithm_of_the_number_of_classes() -> None:
    torch.testing.assert_close(class_loss(torch.zeros(3, 7), torch.eye(7)[:3]), torch.tensor(7.0).log())
    soft = torch.full((1, 2), 0.5)
    torch.testing.assert_close(class_loss(torch.tensor([[2.0, 0.0]]), soft), F.softplus(torch.tensor(-2.0)) + 1)


@pytest.mark.parametrize("phase", ["D", "G"])
def test_both_networks_work_at_the_level_of_detail_of_the_batch(phase: str) -> None:
    objective = linear()
    next(p for p in objective.phases() if p.name == phase).loss(batch_of(2, lod=1.5))
    assert set(objective.G.lods) == set(objective.D.lods) == {1.5}


def test_every_picture_d_sees_is_augmented_and_fakes_carry_gradients_through_it() -> None:
    objective = linear(ObjectiveContext(augment=lambda images, draws: -2 * images))
    plain = Objective(objective.config, objective.G, objective.D, ObjectiveContext())
    batch = batch_of(3)
    for statistic in ("scores/real", "scores/fake"):
        ours, theirs = (o.loss_D(rewound(batch))[statistic] for o in (objective, plain))
        torch.testing.assert_close(ours, -2 * theirs)
    ours, theirs = (gradient(o.loss_G(rewound(batch)), objective.G.matrix) for o in (objective, plain))
    torch.testing.assert_close(ours, -2 * theirs)


def test_noise_in_d_grows_with_the_running_score_of_its_fakes() -> None:
    """Score s <- 0.9 s + 0.1 D(fake); strength 0.2 max(0, s - 0.5)^2; inputs times 1 + strength sqrt(C) N(0, 1)."""
    context = ObjectiveContext(reduce_mean=lambda tensor: tensor + 20)
    objective = linear(context, loss="lsgan", gp_weight=0.0, drift=0.0, multiplicative_noise=True)
    assert set(objective.state_dict()) == {"fake_score"}
    batch = batch_of(4)
    values = objective.loss_D(batch)
    _, fake = scores(objective, batch)
    torch.testing.assert_close(values["scores/fake"], fake.mean())  # no noise yet: the score began at 0
    torch.testing.assert_close(objective.fake_score, 0.1 * (fake.mean() + 20))
    assert objective.fake_score > 0.6
    strength = 0.2 * (objective.fake_score - 0.5) ** 2
    again = Batch(batch.images, None, SeededDraws(4, seed=5))
    values = objective.loss_G(again)
    z, noise = again.draws.normal  # type: ignore[attr-defined]
    disturbed = z @ objective.G.matrix.t() * (1 + strength * math.sqrt(6) * noise)
    torch.testing.assert_close(values["loss"], (disturbed @ objective.D.weight).square().mean())


def test_without_noise_the_objective_has_no_state() -> None:
    assert not linear(loss="lsgan").state_dict()


LABELS = torch.eye(3)[[0, 1, 2, 1, 0]].double()


@pytest.mark.parametrize("lod", [0.0, 0.5, 1.0])
def test_the_gradient_of_d_on_real_networks_equals_torch_s_own(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], lod: float
) -> None:
    """WGAN-GP with drift and classes through every layer, against the plain network and plain autograd.

    The gradient is penalised with respect to the picture at full size, which D averages down.
    """
    G, D = make_g(c_dim=3), make_d(c_dim=3)
    objective = Objective(ObjectiveConfig(gp_target=2.0), G, D, ObjectiveContext()).double()
    side = 16 >> int(lod)
    images, c = torch.randn(8, 3, side, side).double(), LABELS[torch.arange(8) % 5]
    parameters = dict(D.named_parameters())
    loss = objective.loss_D(Batch(images, c, SeededDraws(8, labels=LABELS), lod))["loss"]

    draws = SeededDraws(8, labels=LABELS)
    wanted = draws.labels()
    assert wanted is not None
    fakes = G.synthesis_network(G.mapping(draws.randn(6), wanted), lod).detach()
    share = draws.rand()[:, None, None, None]
    factor = 16 // side
    between = (share * images + (1 - share) * fakes).repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    between.requires_grad_()
    real, fake, middle = (plain_outputs(D, parameters, x, lod) for x in (images, fakes, F.avg_pool2d(between, factor)))
    (inner,) = torch.autograd.grad(middle[:, 0].sum(), between, create_graph=True)
    expected = fake[:, 0].mean() - real[:, 0].mean() + 0.001 * real[:, 0].square().mean()
    expected = expected + 10 * ((inner.flatten(1).norm(dim=1) - 2) ** 2).mean() / 4
    for outputs, labels in ((real, c), (fake, wanted)):
        expected = expected - (labels * torch.log_softmax(outputs[:, 1:], 1)).sum(1).mean()
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(value, parameters.values(), materialize_grads=True) for value in (loss, expected)]
    for name, ours, theirs in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("phase", ["D", "G"])
@pytest.mark.parametrize("settings", [{}, {"loss": "lsgan", "multiplicative_noise": True}], ids=str)
def test_shares_of_a_batch_average_to_the_gradients_of_the_whole(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], phase: str, settings: dict[str, Any]
) -> None:
    """Two processes with strided samples, labels, mixing, noise and minibatch statistics compute what one computes."""
    images, c = torch.randn(16, 3, 16, 16).double(), LABELS[torch.arange(16) % 5]

    def gradients(rank: int, world: int) -> list[Tensor]:
        networks = make_g(c_dim=3), make_d(c_dim=3)
        objective = Objective(ObjectiveConfig(**settings), *networks, ObjectiveContext()).double()
        if settings:
            objective.fake_score.fill_(0.9)
        draws = SeededDraws(16, rank=rank, world=world, labels=LABELS)
        chosen = next(p for p in objective.phases() if p.name == phase)
        loss = chosen.loss(Batch(images[rank::world], c[rank::world], draws))["loss"]
        parameters = list(networks["GD".index(chosen.module)].parameters())
        return list(torch.autograd.grad(loss, parameters, materialize_grads=True))

    whole, first, second = gradients(0, 1), gradients(0, 2), gradients(1, 2)
    for full, *halves in zip(whole, first, second, strict=True):
        torch.testing.assert_close((halves[0] + halves[1]) / 2, full)
    assert sum(full.abs().sum() for full in whole) > 0


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [("gp_weight", -1.0, ">= 0"), ("gp_target", 0.0, "> 0"), ("d_repeats", 0, ">= 1"), ("r1_gamma", -1.0, ">= 0")],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"objective.{name}: got {value}, expected {limits}"):
        ObjectiveConfig(**{name: value})  # type: ignore[arg-type]


def test_an_unknown_loss_is_answered_with_the_closest_one() -> None:
    with pytest.raises(ConfigError, match=r"objective.loss: got 'wgna', expected one of .*wgan"):
        ObjectiveConfig(loss="wgna")


def test_noise_measured_by_other_targets_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"multiplicative_noise: got true with loss 'wgan', expected 'lsgan'"):
        ObjectiveConfig(multiplicative_noise=True)
