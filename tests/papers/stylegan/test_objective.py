"""The phases of the objective on networks simple enough to compute every loss by hand, then on real ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.losses.adversarial import LOSSES
from limner.ops.growing import downsample_box, upsample_nearest
from limner.papers.base import Batch, ObjectiveContext
from limner.papers.stylegan import Discriminator, Generator, GeneratorConfig, Objective, ObjectiveConfig
from papers.stylegan2.conftest import SeededDraws

PIXELS = (1, 2, 3)


class LinearSynthesis(nn.Module):
    """images = A (mean over layers of ws); remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(math.prod(PIXELS), 4).double())
        self.ws: list[Tensor] = []
        self.noises: list[list[Tensor]] = []

    def num_layers(self, lod: float) -> int:
        return 6 - 2 * math.floor(lod)

    def forward(self, ws: Tensor, noises: list[Tensor], lod: float) -> Tensor:
        self.ws.append(ws)
        self.noises.append(noises)
        return (ws.mean(1) @ self.matrix.t()).reshape(-1, *PIXELS)


class LinearGenerator(nn.Module):
    """ws = z in every layer, moved by the label."""

    z_dim, num_ws = 4, 6
    noise_shapes = ((2, 3),) * 6
    config = GeneratorConfig()

    def __init__(self) -> None:
        super().__init__()
        self.synthesis_network = LinearSynthesis()
        self.w_means: list[Tensor] = []

    def mapping(self, z: Tensor, c: Tensor | None) -> Tensor:
        z = z if c is None else z + 100 * c.argmax(1, keepdim=True)
        return z[:, None].expand(-1, self.num_ws, -1)

    def update_w_avg(self, w_mean: Tensor) -> None:
        self.w_means.append(w_mean)


class LinearDiscriminator(nn.Module):
    """logit = weight . picture; remembers labels and levels of detail."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(math.prod(PIXELS)).double())
        self.seen: list[tuple[Tensor | None, float]] = []

    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        self.seen.append((c, lod))
        return images.flatten(1) @ self.weight[:, None]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def linear(context: ObjectiveContext | None = None, **settings: Any) -> Objective:
    settings = {"style_mixing_prob": 0.0} | settings
    networks: Any = (LinearGenerator(), LinearDiscriminator())
    return Objective(ObjectiveConfig(**settings), *networks, context or ObjectiveContext())


def batch_of(count: int, *, lod: float = 0.0, **arguments: Any) -> Batch:
    return Batch(torch.randn(count, *PIXELS).double(), None, SeededDraws(count, **arguments), lod)


def parts(objective: Objective) -> tuple[Tensor, Tensor]:
    """The matrix of G and the weight of D."""
    synthesis: Any = objective.G.synthesis_network
    weight: Any = objective.D.weight
    return synthesis.matrix, weight


def gradient(values: dict[str, Tensor], parameter: Tensor) -> Tensor:
    return torch.autograd.grad(values["loss"], parameter)[0]


def test_an_iteration_moves_d_then_g() -> None:
    rows = [(phase.name, phase.module, phase.interval, phase.needs_images) for phase in linear().phases()]
    assert rows == [("D", "D", 1, True), ("G", "G", 1, False)]


def test_a_lazy_penalty_has_a_phase_of_its_own() -> None:
    rows = [(phase.name, phase.module, phase.interval) for phase in linear(r1_interval=16).phases()]
    assert rows == [("D", "D", 1), ("D_r1", "D", 16), ("G", "G", 1)]
    assert len(linear(r1_interval=16, r1_gamma=0.0).phases()) == 2


@pytest.mark.parametrize("lod", [0.0, 1.5])
def test_a_lazy_penalty_is_that_of_every_step_times_the_interval(lod: float) -> None:
    every, lazy = linear(r1_gamma=3.0), linear(r1_gamma=3.0, r1_interval=8)
    lazy.D.load_state_dict(every.D.state_dict())
    lazy.G.load_state_dict(every.G.state_dict())
    batches = [batch_of(4, lod=lod) for _ in range(3)]
    for batch in batches[1:]:
        batch.images.copy_(batches[0].images)
    complete, rest, penalty = every.loss_D(batches[0]), lazy.loss_D(batches[1]), lazy.loss_D_r1(batches[2])
    torch.testing.assert_close(rest["loss"] + penalty["loss"] / 8, complete["loss"])
    torch.testing.assert_close(penalty["r1_penalty"], complete["r1_penalty"])
    assert "r1_penalty" not in rest


def test_a_loss_of_g_that_compares_with_reals_asks_for_them() -> None:
    assert [phase.needs_images for phase in linear(loss="relativistic").phases()] == [True, True]


def test_the_loss_of_g_is_the_mean_softplus_of_minus_the_logits_of_its_pictures() -> None:
    objective, batch = linear(), batch_of(6)
    values, (matrix, weight) = objective.loss_G(batch), parts(objective)
    z = batch.draws.normal[0]  # type: ignore[attr-defined]
    logits = z @ matrix.t() @ weight
    torch.testing.assert_close(values["loss"], F.softplus(-logits).mean())
    expected = -(logits.neg().sigmoid()[:, None] * z).mean(0)  # d loss / d(A^T weight)
    torch.testing.assert_close(gradient(values, matrix), torch.outer(weight, expected))


@pytest.mark.parametrize("gammas", [{"r1_gamma": 3.0}, {"r1_gamma": 0.0, "r2_gamma": 3.0}])
@pytest.mark.parametrize("lod", [0.0, 1.0, 1.5])
def test_d_is_trained_by_the_logistic_loss_with_its_penalty_in_every_step(gammas: dict[str, float], lod: float) -> None:
    """The gradient of a linear D is its weight; at full size its squared norm is a 4^L-th."""
    objective, batch = linear(**gammas), batch_of(6, lod=lod)
    values, (matrix, weight) = objective.loss_D(batch), parts(objective)
    fake = batch.draws.normal[0] @ matrix.t() @ weight  # type: ignore[attr-defined]
    real = batch.images.flatten(1) @ weight
    penalty = 3.0 / 2 * weight.square().sum() / 4 ** math.floor(lod)
    torch.testing.assert_close(values["loss"], F.softplus(-real).mean() + F.softplus(fake).mean() + penalty)
    torch.testing.assert_close(values["scores/real"], real.mean())
    torch.testing.assert_close(values["scores/fake"], fake.mean())
    torch.testing.assert_close(values["signs/real"], real.sign().mean())
    assert torch.autograd.grad(values["loss"], matrix, allow_unused=True)[0] is None


@pytest.mark.parametrize("lod", [0.0, 1.0, 1.5])
def test_wgan_gp_penalises_the_norm_of_the_gradient_at_full_size_and_drift(lod: float) -> None:
    settings = {"loss": "wgan", "r1_gamma": 0.0, "gp_weight": 10.0, "gp_target": 2.0, "drift": 0.001}
    objective, batch = linear(**settings), batch_of(6, lod=lod)
    values, (matrix, weight) = objective.loss_D(batch), parts(objective)
    fake = batch.draws.normal[0] @ matrix.t() @ weight  # type: ignore[attr-defined]
    real = batch.images.flatten(1) @ weight
    norm = weight.norm() / 2 ** math.floor(lod)
    expected = fake.mean() - real.mean() + 10 / 2**2 * (norm - 2).square() + 0.001 * real.square().mean()
    torch.testing.assert_close(values["loss"], expected)
    again = batch_of(6)
    values = objective.loss_G(again)
    z = again.draws.normal[0]  # type: ignore[attr-defined]
    torch.testing.assert_close(values["loss"], -(z @ matrix.t() @ weight).mean())


@pytest.mark.parametrize("lod", [0.0, 1.0, 1.5])
def test_r1_of_a_growing_network_is_that_of_pictures_scaled_up_to_full_size(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], lod: float
) -> None:
    """By torch's own derivatives: D looks at full-size pictures through the mean of the copies of each pixel."""
    G, D, factor = make_g(), make_d(), 2 ** math.floor(lod)
    images = torch.randn(4, 3, 16 // factor, 16 // factor).double()
    objective = Objective(ObjectiveConfig(r1_gamma=1.0), G, D, ObjectiveContext())
    without = Objective(ObjectiveConfig(r1_gamma=0.0), G, D, ObjectiveContext())
    full, plain = (o.loss_D(Batch(images, None, SeededDraws(4), lod))["loss"] for o in (objective, without))
    scaled = upsample_nearest(images, factor).requires_grad_()
    (inner,) = torch.autograd.grad(D(downsample_box(scaled, factor), lod=lod).sum(), scaled, create_graph=True)
    expected = inner.square().sum((1, 2, 3)).mean() / 2
    torch.testing.assert_close(full - plain, expected)
    ours, theirs = (
        torch.autograd.grad(value, list(D.parameters()), materialize_grads=True) for value in (full - plain, expected)
    )
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_penalties_look_at_the_augmented_pictures_and_not_through_the_augmentation() -> None:
    """Documented deviation: with x -> 3 x in front of D the penalty stays |weight|^2 instead of 9 |weight|^2."""
    objective = linear(ObjectiveContext(augment=lambda images, draws: 3 * images), r1_gamma=2.0)
    torch.testing.assert_close(objective.loss_D(batch_of(2))["r1_penalty"], parts(objective)[1].square().sum())


def test_every_picture_d_sees_is_augmented_and_fakes_carry_gradients_through_it() -> None:
    objective = linear(ObjectiveContext(augment=lambda images, draws: -2 * images))
    plain = Objective(objective.config, objective.G, objective.D, ObjectiveContext())
    batches = batch_of(3), batch_of(3)
    batches[1].images.copy_(batches[0].images)
    ours, theirs = (o.loss_D(b) for o, b in zip((objective, plain), batches, strict=True))
    for name in ("scores/real", "scores/fake"):
        torch.testing.assert_close(ours[name], -2 * theirs[name])
    assert gradient(objective.loss_G(batch_of(3)), parts(objective)[0]).abs().sum() > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_both_networks(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], loss: str
) -> None:
    G, D = make_g(), make_d()
    objective = Objective(ObjectiveConfig(loss=loss, r2_gamma=1.0, gp_weight=1.0), G, D, ObjectiveContext())
    for phase, network in (("loss_D", D), ("loss_G", G)):
        batch = Batch(torch.randn(4, 3, 8, 8).double(), None, SeededDraws(4), 1.5)
        values = getattr(objective, phase)(batch)
        gradients = torch.autograd.grad(values["loss"], list(network.parameters()), materialize_grads=True)
        assert all(torch.isfinite(g).all() for g in gradients)
        assert sum(g.abs().sum() for g in gradients) > 0


def test_w_avg_follows_the_unmixed_latents_of_both_phases_averaged_over_processes() -> None:
    context = ObjectiveContext(reduce_mean=lambda tensor: tensor + 10)
    objective = linear(context, style_mixing_prob=1.0, max_latents=3)
    for phase in objective.phases():
        batch = batch_of(6)
        phase.loss(batch)
        (followed,) = objective.G.w_means  # type: ignore[attr-defined]
        torch.testing.assert_close(followed, batch.draws.normal[0].mean(0) + 10)  # type: ignore[attr-defined]
        objective.G.w_means.clear()  # type: ignore[attr-defined]


def test_noise_is_drawn_for_the_layers_in_use() -> None:
    objective = linear()
    for lod, expected in ((0.0, 6), (1.5, 4), (2.0, 2)):
        objective.loss_G(batch_of(3, lod=lod))
        noises = objective.G.synthesis_network.noises.pop()  # type: ignore[operator, union-attr]
        assert [tuple(noise.shape) for noise in noises] == [(3, 1, 2, 3)] * expected


def test_both_networks_work_at_the_level_of_detail_of_the_batch() -> None:
    objective = linear(gp_weight=1.0)
    objective.loss_D(batch_of(2, lod=1.5))
    objective.loss_G(batch_of(2, lod=1.5))
    assert [lod for _, lod in objective.D.seen] == [1.5] * 4  # type: ignore[attr-defined]


def test_g_gets_labels_of_the_data_set_and_d_those_of_the_real_pictures() -> None:
    objective, own = linear(), torch.eye(3)[[0, 1, 2, 0]].double()
    draws = SeededDraws(4, labels=torch.eye(3)[[2, 2, 2]].double())
    batch = Batch(torch.randn(4, *PIXELS).double(), own, draws)
    objective.loss_D(batch)
    objective.loss_G(batch)
    *in_d, in_g = [c for c, _ in objective.D.seen]  # type: ignore[attr-defined]
    assert len(in_d) == 2
    assert all(c is own for c in in_d)
    assert torch.equal(in_g, torch.eye(3)[[2, 2, 2, 2]].double())
    of_d, of_g = objective.G.synthesis_network.ws  # type: ignore[misc, union-attr]
    assert of_d[0].max() < 50 < of_d[1].min() < 150 < of_d[2].min()  # the mapping saw the same labels
    assert of_g.min() > 150


def test_the_networks_are_no_part_of_the_objective_s_state() -> None:
    assert not linear().state_dict()


def layer_patterns(objective: Objective, count: int, *, samples: int = 1, lod: float = 0.0) -> list[tuple[int, ...]]:
    """Which latent each layer follows, for every picture of `count` batches."""
    found: list[tuple[int, ...]] = []
    draws = SeededDraws(samples)
    for _ in range(count):
        draws.normal.clear()
        objective.loss_G(Batch(torch.zeros(samples, *PIXELS).double(), None, draws, lod))
        ws = objective.G.synthesis_network.ws.pop().detach()  # type: ignore[operator, union-attr]
        latents = torch.cat([draws.normal[0][:, None], draws.normal[1]], 1)  # [samples, K, z_dim]
        same = (ws[:, :, None] == latents[:, None]).all(3)  # [samples, layers, K]
        assert (same.sum(2) == 1).all()
        found += [tuple(row) for row in same.long().argmax(2).tolist()]
    return found


def test_nine_batches_in_ten_cross_over_at_a_uniform_layer_between_the_first_and_the_last() -> None:
    count = 1000
    found = Counter(layer_patterns(linear(style_mixing_prob=0.9), count))
    expected = {(0,) * at + (1,) * (6 - at): 0.9 / 5 for at in range(1, 6)} | {(0,) * 6: 0.1}
    assert set(found) == set(expected)
    for pattern, probability in expected.items():
        deviation = math.sqrt(count * probability * (1 - probability))
        assert abs(found[pattern] - count * probability) < 4 * deviation, pattern


@pytest.mark.parametrize("most", [3, 4])
def test_up_to_four_latents_follow_one_another_at_distinct_layers(most: int) -> None:
    """Each number of latents from 2 on is as likely, and so is each set of crossovers of one size."""
    count = 2000
    found = Counter(layer_patterns(linear(style_mixing_prob=0.8, max_latents=most), count))
    for pattern in found:
        steps = [after - before for before, after in pairwise(pattern)]
        assert pattern[0] == 0
        assert set(steps) <= {0, 1}
    for latents in range(2, most + 1):
        patterns = {pattern: number for pattern, number in found.items() if pattern[-1] == latents - 1}
        sets = math.comb(5, latents - 1)
        assert len(patterns) == sets
        probability = 0.8 / (most - 1) / sets
        deviation = math.sqrt(count * probability * (1 - probability))
        assert all(abs(number - count * probability) < 4.5 * deviation for number in patterns.values())


def test_crossovers_stay_among_the_layers_in_use() -> None:
    objective = linear(style_mixing_prob=1.0, max_latents=4)
    assert {pattern[:4] for pattern in layer_patterns(objective, 200, lod=1.5)} == {
        *((0, 0, 0, 1), (0, 0, 1, 1), (0, 1, 1, 1)),
        *((0, 0, 1, 2), (0, 1, 1, 2), (0, 1, 2, 2)),
        (0, 1, 2, 3),
    }
    assert {pattern[:2] for pattern in layer_patterns(objective, 50, lod=2.0)} == {(0, 1)}


def test_a_batch_crosses_over_together_or_every_picture_by_itself() -> None:
    together = layer_patterns(linear(style_mixing_prob=1.0), 1, samples=32)
    apart = layer_patterns(linear(style_mixing_prob=1.0, mixing_scope="sample"), 1, samples=32)
    assert len(set(together)) == 1
    assert len(set(apart)) == 5


def test_without_mixing_one_latent_is_drawn() -> None:
    batch = batch_of(2)
    linear(style_mixing_prob=0.0).loss_G(batch)
    assert [tuple(drawn.shape[1:]) for drawn in batch.draws.normal] == [(4,), *[(1, 2, 3)] * 6]  # type: ignore[attr-defined]


@pytest.mark.parametrize("lod", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mixing_scope": "sample", "max_latents": 4},
        {"loss": "wgan", "r1_gamma": 0.0, "gp_weight": 10.0, "drift": 0.001},
        {"loss": "relativistic", "r2_gamma": 5.0, "r1_interval": 4},
    ],
    ids=["as published", "mixed by sample", "wgan-gp", "relativistic, lazy"],
)
def test_shares_of_a_batch_average_to_the_gradients_of_the_whole(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], settings: dict[str, Any], lod: float
) -> None:
    """Two processes with strided samples, mixing, noise, labels and minibatch statistics compute what one computes."""
    labels = torch.eye(3)[[0, 1, 2, 1, 0]].double()
    side = 16 >> math.floor(lod)
    images, c = torch.randn(16, 3, side, side).double(), labels[torch.arange(16) % 5]

    def gradients(name: str, rank: int, world: int) -> list[Tensor]:
        networks = make_g(c_dim=3), make_d(c_dim=3)
        objective = Objective(ObjectiveConfig(**settings), *networks, ObjectiveContext())
        draws = SeededDraws(16, rank=rank, world=world, labels=labels)
        chosen = next(p for p in objective.phases() if p.name == name)
        loss = chosen.loss(Batch(images[rank::world], c[rank::world], draws, lod))["loss"]
        parameters = list(networks["GD".index(name[0])].parameters())
        return list(torch.autograd.grad(loss, parameters, materialize_grads=True))

    for name in ("D", "D_r1", "G") if "r1_interval" in settings else ("D", "G"):
        whole, first, second = gradients(name, 0, 1), gradients(name, 0, 2), gradients(name, 1, 2)
        for full, *halves in zip(whole, first, second, strict=True):
            torch.testing.assert_close((halves[0] + halves[1]) / 2, full)
        assert sum(full.abs().sum() for full in whole) > 0


def test_more_latents_than_layers_are_refused(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator]
) -> None:
    with pytest.raises(ConfigError, match=r"objective.max_latents: got 7, expected at most 6, the layers"):
        Objective(ObjectiveConfig(max_latents=7), make_g(), make_d(), ObjectiveContext())
    unstyled = make_g(use_styles=False, const_input=False)
    with pytest.raises(
        ConfigError, match=r"max_latents: got 2, expected at most 1, .*set objective.style_mixing_prob=0"
    ):
        Objective(ObjectiveConfig(), unstyled, make_d(), ObjectiveContext())
    Objective(ObjectiveConfig(style_mixing_prob=0.0), unstyled, make_d(), ObjectiveContext())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("r1_gamma", -1.0, "objective.r1_gamma: got -1.0, expected >= 0"),
        ("gp_target", 0.0, "objective.gp_target: got 0.0, expected > 0"),
        ("style_mixing_prob", 1.5, "objective.style_mixing_prob: got 1.5, expected >= 0, <= 1"),
        ("max_latents", 1, "objective.max_latents: got 1, expected >= 2"),
        ("loss", "logisitc", "loss: got 'logisitc', expected one of .* Did you mean 'logistic'?"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float | str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ObjectiveConfig(**{name: value})  # type: ignore[arg-type]
