"""The phases of the objective on networks simple enough to compute every loss by hand, then on real ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.papers.base import Batch, ObjectiveContext
from limner.papers.stylegan2 import Discriminator, Generator, Objective, ObjectiveConfig
from papers.stylegan2.conftest import SeededDraws

PIXELS = (1, 2, 3)


class LinearGenerator(nn.Module):
    """images = A (mean over layers of ws) with ws = z repeated; remembers what it was given."""

    z_dim, num_ws = 4, 5
    noise_shapes = ((2, 3),)

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(math.prod(PIXELS), 4).double())
        self.w_means: list[Tensor] = []
        self.ws: list[Tensor] = []

    def mapping(self, z: Tensor, c: Tensor | None) -> Tensor:
        z = z if c is None else z + 100 * c.argmax(1, keepdim=True)
        return z[:, None].expand(-1, self.num_ws, -1).clone().requires_grad_()

    def synthesis_network(self, ws: Tensor, noises: list[Tensor], lod: float) -> Tensor:
        self.ws.append(ws)
        return (ws.mean(1) @ self.matrix.t()).reshape(-1, *PIXELS)

    def update_w_avg(self, w_mean: Tensor) -> None:
        self.w_means.append(w_mean)


class LinearDiscriminator(nn.Module):
    """logit = weight . picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(math.prod(PIXELS)).double())

    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        return images.flatten(1) @ self.weight[:, None]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def linear(context: ObjectiveContext | None = None, **settings: Any) -> Objective:
    settings = {"style_mixing_prob": 0.0} | settings
    networks: Any = (LinearGenerator(), LinearDiscriminator())
    return Objective(ObjectiveConfig(**settings), *networks, context or ObjectiveContext()).double()


def batch_of(count: int, **arguments: Any) -> Batch:
    return Batch(torch.randn(count, *PIXELS).double(), None, SeededDraws(count, **arguments))


def gradient(values: dict[str, Tensor], parameter: Tensor) -> Tensor:
    return torch.autograd.grad(values["loss"], parameter)[0]


def test_phases_have_the_papers_names_networks_and_intervals() -> None:
    rows = [(phase.name, phase.module, phase.interval, phase.needs_images) for phase in linear().phases()]
    assert rows == [("G", "G", 1, False), ("G_pl", "G", 4, False), ("D", "D", 1, True), ("D_r1", "D", 16, True)]
    rows = [(phase.name, phase.interval) for phase in linear(r1_interval=8, pl_interval=2).phases()]
    assert rows == [("G", 1), ("G_pl", 2), ("D", 1), ("D_r1", 8)]


def test_a_regularizer_of_weight_zero_has_no_phase() -> None:
    assert [phase.name for phase in linear(pl_weight=0.0).phases()] == ["G", "D", "D_r1"]
    assert [phase.name for phase in linear(r1_gamma=0.0).phases()] == ["G", "G_pl", "D"]


def test_r1_in_every_iteration_is_a_term_of_d_and_no_phase_of_its_own() -> None:
    assert [phase.name for phase in linear(r1_interval=1).phases()] == ["G", "G_pl", "D"]
    objective, plain, batch = linear(r1_interval=1, r1_gamma=3.0), linear(r1_gamma=3.0), batch_of(6)
    plain.G, plain.D = objective.G, objective.D
    values = objective.loss_D(batch)
    without = plain.loss_D(Batch(batch.images, None, SeededDraws(6)))
    weight = objective.D.weight
    torch.testing.assert_close(values["loss"], without["loss"] + 3.0 / 2 * weight.square().sum())
    torch.testing.assert_close(values["r1_penalty"], weight.square().sum())
    torch.testing.assert_close(gradient(values, weight), gradient(without, weight) + 3.0 * weight)
    assert "r1_penalty" not in linear(r1_interval=1, r1_gamma=0.0).loss_D(batch_of(6))


def test_r1_within_d_and_r1_by_itself_have_the_same_gradient(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator]
) -> None:
    images, gradients = torch.randn(4, 3, 16, 16).double(), []
    for interval in (1, 2):
        objective = Objective(ObjectiveConfig(r1_interval=interval), make_g(), make_d(), ObjectiveContext()).double()
        batch = Batch(images, None, SeededDraws(4))
        loss = objective.loss_D(batch)["loss"]
        loss = loss if interval == 1 else loss + objective.loss_D_r1(batch)["loss"] / interval
        gradients.append(torch.autograd.grad(loss, list(objective.D.parameters())))
    for merged, apart in zip(*gradients, strict=True):
        torch.testing.assert_close(merged, apart)


@pytest.mark.parametrize(("lod", "size"), [(0.0, 16), (0.5, 16), (1.0, 8), (1.5, 8), (2.0, 4)])
def test_r1_while_growing_is_that_of_pictures_scaled_up_to_full_size(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], lod: float, size: int
) -> None:
    D = make_d(architecture="orig", growing=True)
    objective = Objective(
        ObjectiveConfig(r1_gamma=2.0, r1_interval=4), make_g(architecture="orig", growing=True), D, ObjectiveContext()
    ).double()
    images = torch.randn(4, 3, size, size).double()
    full = images.repeat_interleave(16 // size, 2).repeat_interleave(16 // size, 3).requires_grad_()
    (inner,) = torch.autograd.grad(D(F.avg_pool2d(full, 16 // size), lod=lod).sum(), full)
    expected = inner.square().sum((1, 2, 3)).mean()
    values = objective.loss_D_r1(Batch(images, None, SeededDraws(4), lod))
    torch.testing.assert_close(values["r1_penalty"], expected)
    torch.testing.assert_close(values["loss"], 2.0 / 2 * 4 * expected)


def test_the_loss_of_g_is_the_mean_softplus_of_minus_the_logits_of_its_pictures() -> None:
    objective, batch = linear(), batch_of(6)
    values = objective.loss_G(batch)
    z = batch.draws.normal[0]  # type: ignore[attr-defined]
    logits = z @ objective.G.matrix.t() @ objective.D.weight
    torch.testing.assert_close(values["loss"], F.softplus(-logits).mean())
    torch.testing.assert_close(values["scores/fake"], logits.mean())
    expected = -(logits.neg().sigmoid()[:, None] * z).mean(0)  # d loss / d(A^T weight)
    torch.testing.assert_close(gradient(values, objective.G.matrix), torch.outer(objective.D.weight, expected))


def test_the_loss_of_d_compares_reals_with_fakes_that_carry_no_gradient_to_g() -> None:
    objective, batch = linear(), batch_of(6)
    values = objective.loss_D(batch)
    fake = batch.draws.normal[0] @ objective.G.matrix.t() @ objective.D.weight  # type: ignore[attr-defined]
    real = batch.images.flatten(1) @ objective.D.weight
    torch.testing.assert_close(values["loss"], F.softplus(-real).mean() + F.softplus(fake).mean())
    torch.testing.assert_close(values["scores/real"], real.mean())
    torch.testing.assert_close(values["signs/real"], real.sign().mean())
    assert torch.autograd.grad(values["loss"], objective.G.matrix, allow_unused=True)[0] is None


def test_r1_of_a_linear_discriminator_is_half_gamma_times_its_squared_weights_times_the_interval() -> None:
    objective = linear(r1_gamma=3.0, r1_interval=16)
    values = objective.loss_D_r1(batch_of(4))
    torch.testing.assert_close(values["loss"], 3.0 / 2 * objective.D.weight.square().sum() * 16)
    torch.testing.assert_close(gradient(values, objective.D.weight), 3.0 * objective.D.weight * 16)
    torch.testing.assert_close(values["r1_penalty"], objective.D.weight.square().sum())


def test_r1_looks_at_the_augmented_pictures_and_not_through_the_augmentation() -> None:
    """Documented deviation: with x -> 3 x in front of D the penalty stays |weight|^2 instead of 9 |weight|^2."""
    objective = linear(ObjectiveContext(augment=lambda images, draws: 3 * images), r1_gamma=2.0, r1_interval=1)
    torch.testing.assert_close(objective.loss_D_r1(batch_of(2))["loss"], objective.D.weight.square().sum())


def test_path_lengths_of_a_linear_generator_and_their_moving_average_are_those_of_the_formula() -> None:
    """|J^T y| = |A^T y| / L for L layers; a <- a + 0.01 (mean - a) before use; weight 2, interval 4, half the batch."""
    objective, batch = linear(), batch_of(8)
    average = torch.tensor(0.0).double()
    for step in range(2):
        matrix = objective.G.matrix.detach()
        values = objective.loss_G_pl(batch)
        z, _, noise = batch.draws.normal[-3:]  # type: ignore[attr-defined]
        assert len(z) == 4, step
        lengths = (noise.flatten(1) / math.sqrt(2 * 3) @ matrix).norm(dim=1) / 5
        average += 0.01 * (lengths.mean() - average)
        torch.testing.assert_close(objective.pl_mean, average)
        torch.testing.assert_close(values["path_length"], lengths.mean())
        torch.testing.assert_close(values["loss"], 2 * 4 * (lengths - average).square().mean())


def test_the_moving_average_of_path_lengths_is_a_constant_in_the_penalty() -> None:
    objective, batch = linear(pl_weight=1.0, pl_interval=1, pl_decay=0.5), batch_of(4)
    values = objective.loss_G_pl(batch)
    noise = batch.draws.normal[-1].flatten(1) / math.sqrt(6)  # type: ignore[attr-defined]
    lengths = (noise @ objective.G.matrix).norm(dim=1) / 5
    expected = (lengths - objective.pl_mean).square().mean()
    torch.testing.assert_close(
        gradient(values, objective.G.matrix), torch.autograd.grad(expected, objective.G.matrix)[0]
    )


def test_the_moving_averages_follow_the_mean_over_processes() -> None:
    context = ObjectiveContext(reduce_mean=lambda tensor: tensor + 10)
    objective, batch = linear(context, pl_decay=0.1), batch_of(4)
    length = objective.loss_G_pl(batch)["path_length"]
    assert length > 10
    torch.testing.assert_close(objective.pl_mean, 0.1 * length)
    objective.loss_G(batch)
    torch.testing.assert_close(objective.G.w_means[-1], objective.G.ws[-1][:, 0].detach().mean(0) + 10)


def test_w_avg_follows_the_unmixed_latents_of_the_main_phases_alone() -> None:
    objective = linear(style_mixing_prob=1.0)
    for phase, followed in (("G", 1), ("G_pl", 0), ("D", 1), ("D_r1", 0)):
        objective.G.w_means.clear()
        batch = batch_of(6)
        next(p for p in objective.phases() if p.name == phase).loss(batch)
        assert len(objective.G.w_means) == followed, phase
        if followed:
            torch.testing.assert_close(objective.G.w_means[0], batch.draws.normal[0].mean(0))  # type: ignore[attr-defined]


def test_the_moving_average_is_part_of_the_state_and_the_networks_are_not() -> None:
    assert set(linear().state_dict()) == {"pl_mean"}


def test_every_picture_d_sees_is_augmented_and_fakes_carry_gradients_through_it() -> None:
    objective = linear(ObjectiveContext(augment=lambda images, draws: -2 * images))
    plain = Objective(objective.config, objective.G, objective.D, ObjectiveContext())
    for name, sign in (("scores/fake", "loss_G"), ("scores/real", "loss_D")):
        batches = batch_of(3), batch_of(3)
        batches[1].images.copy_(batches[0].images)
        ours, theirs = (getattr(o, sign)(b)[name] for o, b in zip((objective, plain), batches, strict=True))
        torch.testing.assert_close(ours, -2 * theirs)
    assert gradient(objective.loss_G(batch_of(3)), objective.G.matrix).abs().sum() > 0


def test_fakes_get_labels_of_the_data_set_and_reals_their_own() -> None:
    class Recording(LinearDiscriminator):
        seen: list[Tensor | None] = []  # noqa: RUF012

        def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
            self.seen.append(c)
            return super().forward(images)

    networks: Any = (LinearGenerator(), Recording())
    objective = Objective(ObjectiveConfig(style_mixing_prob=0.0), *networks, ObjectiveContext())
    own = torch.eye(3)[[0, 1, 2, 0]].double()
    batch = Batch(torch.randn(4, *PIXELS).double(), own, SeededDraws(4, labels=torch.eye(3)[[2, 2, 2]].double()))
    objective.loss_D(batch)
    fake, real = Recording.seen
    assert fake is not None
    assert torch.equal(fake, torch.eye(3)[[2, 2, 2, 2]].double())
    assert real is own
    assert objective.G.ws[0].detach().min() > 150  # the mapping saw the same labels


def crossovers(objective: Objective, count: int, lod: float = 0.0) -> Counter[int]:
    """Index of the first layer that follows the second latent, per batch; num_ws when the batch is not mixed."""
    found: Counter[int] = Counter()
    draws = SeededDraws(2)
    for _ in range(count):
        objective.loss_G(Batch(torch.zeros(2, *PIXELS).double(), None, draws, lod))
        ws, first, second = objective.G.ws.pop().detach(), *(z for z in draws.normal if z.shape[1:] == (4,))
        draws.normal.clear()
        is_first = (ws == first[:, None]).all(2)
        is_second = (ws == second[:, None]).all(2)
        layers = int(is_first[0].sum())
        assert torch.equal(is_first, (torch.arange(5) < layers).expand(2, 5))  # one crossover for the batch
        assert torch.equal(is_second, ~is_first)
        found[layers] += 1
    return found


def test_nine_batches_in_ten_cross_over_at_a_uniform_layer_between_the_first_and_the_last() -> None:
    count = 1000
    found = crossovers(linear(style_mixing_prob=0.9), count)
    assert set(found) == {1, 2, 3, 4, 5}
    for layers, probability in [(1, 0.225), (2, 0.225), (3, 0.225), (4, 0.225), (5, 0.1)]:
        deviation = math.sqrt(count * probability * (1 - probability))
        assert abs(found[layers] - count * probability) < 4 * deviation, layers


@pytest.mark.parametrize(("lod", "layers"), [(0.5, {1, 2, 3, 4}), (1.0, {1, 2}), (1.75, {1, 2})])
def test_crossovers_fall_among_the_layers_in_use(lod: float, layers: set[int]) -> None:
    assert set(crossovers(linear(style_mixing_prob=1.0), 60, lod)) == layers


@pytest.mark.parametrize(("lod", "sides"), [(0.0, [4, 8, 8, 16, 16]), (0.5, [4, 8, 8, 16, 16]), (1.5, [4, 8, 8])])
def test_noise_is_drawn_for_the_layers_in_use(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], lod: float, sides: list[int]
) -> None:
    networks = [make(architecture="orig", growing=True) for make in (make_g, make_d)]
    objective = Objective(ObjectiveConfig(style_mixing_prob=0.0), *networks, ObjectiveContext()).double()  # type: ignore[arg-type]
    draws = SeededDraws(4)
    objective.loss_G(Batch(torch.zeros(0), None, draws, lod))
    assert [tuple(drawn.shape) for drawn in draws.normal] == [(4, 6), *[(4, 1, side, side) for side in sides]]


def test_mixing_with_certainty_always_crosses_over_and_without_never() -> None:
    assert max(crossovers(linear(style_mixing_prob=1.0), 60)) == 4
    batch = batch_of(2)
    linear(style_mixing_prob=0.0).loss_G(batch)
    assert [tuple(drawn.shape[1:]) for drawn in batch.draws.normal] == [(4,), (1, 2, 3)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("lod", [None, 0.5, 1.0])
@pytest.mark.parametrize("phase", ["G", "G_pl", "D", "D_r1"])
def test_shares_of_a_batch_average_to_the_gradients_of_the_whole(
    make_g: Callable[..., Generator], make_d: Callable[..., Discriminator], phase: str, lod: float | None
) -> None:
    """Two processes with strided samples, mixing, noise, labels and minibatch statistics compute what one computes.

    With a level of detail the networks grow.
    """
    labels = torch.eye(3)[[0, 1, 2, 1, 0]].double()
    side = 16 >> int(lod or 0)
    images, c = torch.randn(16, 3, side, side).double(), labels[torch.arange(16) % 5]
    growing = {} if lod is None else {"architecture": "orig", "growing": True}

    def gradients(rank: int, world: int) -> list[Tensor]:
        context = ObjectiveContext(reduce_mean=lambda tensor: torch.full_like(tensor, 0.3))
        networks = make_g(c_dim=3, **growing), make_d(c_dim=3, **growing)
        objective = Objective(ObjectiveConfig(), *networks, context).double()
        draws = SeededDraws(16, rank=rank, world=world, labels=labels)
        chosen = next(p for p in objective.phases() if p.name == phase)
        loss = chosen.loss(Batch(images[rank::world], c[rank::world], draws, lod or 0.0))["loss"]
        parameters = list(networks["GD".index(chosen.module)].parameters())
        return list(torch.autograd.grad(loss, parameters, materialize_grads=True))

    whole, first, second = gradients(0, 1), gradients(0, 2), gradients(1, 2)
    for full, *halves in zip(whole, first, second, strict=True):
        torch.testing.assert_close((halves[0] + halves[1]) / 2, full)
    assert sum(full.abs().sum() for full in whole) > 0


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("r1_interval", 0, ">= 1"),
        ("pl_batch_shrink", 0, ">= 1"),
        ("r1_gamma", -1.0, ">= 0"),
        ("style_mixing_prob", 1.5, ">= 0, <= 1"),
        ("pl_decay", 0.0, "> 0, <= 1"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"objective.{name}: got {value}, expected {limits}"):
        ObjectiveConfig(**{name: value})  # type: ignore[arg-type]
