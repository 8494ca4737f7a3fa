"""The objectives: every term by hand on small networks, what moves whom, and every generator's room."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.papers import base
from limner.papers.base import Batch, ObjectiveContext
from limner.papers.idinvert import Encoder, Objective, ObjectiveConfig
from limner.papers.idinvert.perceptual import SCALES
from papers.idinvert.conftest import NETWORKS, MakeEncoder, networks
from papers.stylegan2.conftest import SeededDraws

IMAGES = (torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(4)) * 2 - 1).double()
PLAIN: dict[str, Any] = {"perceptual": "none"}


class Setting:
    """An encoder, the networks of a room, and the objective over them."""

    def __init__(
        self, make_encoder: MakeEncoder, room: str = "stylegan2", *, c_dim: int = 0, encoder: Any = None, **changes: Any
    ) -> None:
        self.G, self.D = networks(room, c_dim)
        latents = {"z_dim": self.G.z_dim, "w_dim": self.G.w_dim, "num_ws": self.G.num_ws}
        self.E: Encoder = make_encoder(**latents, **(encoder or {}))
        self.labels = torch.eye(c_dim).double()[torch.arange(8) % c_dim] if c_dim else None
        self.context = ObjectiveContext()
        self.objective = Objective(ObjectiveConfig(**{**PLAIN, **changes}), self.E, self.G, self.D, self.context)

    def batch(self, rank: int = 0, world: int = 1) -> Batch:
        draws = SeededDraws(8, rank=rank, world=world, labels=self.labels)
        c = None if self.labels is None else self.labels[rank::world]
        return Batch(IMAGES[rank::world], c, draws)  # type: ignore[arg-type]

    def gradients(self, phase: int = 0, **batch: int) -> dict[str, Tensor]:
        """Let the network of a phase have gradients and no other; return them by the names of parameters."""
        chosen = self.objective.phases()[phase]
        modules: dict[str, nn.Module] = {"E": self.E, "D": self.D, "G": self.G}
        for name, module in modules.items():
            module.zero_grad()
            module.requires_grad_(name == chosen.module)
        chosen.loss(self.batch(**batch))["loss"].backward()
        assert all(p.grad is None for name, m in modules.items() if name != chosen.module for p in m.parameters())
        return {name: p.grad for name, p in modules[chosen.module].named_parameters() if p.grad is not None}


def test_the_loss_of_e_is_the_sum_of_its_weighted_means(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, pixel_weight=3.0, adversarial_weight=0.2)
    values = s.objective.loss_E(s.batch())
    made = s.G.synthesis(s.E(IMAGES))
    pixel = ((made - IMAGES) ** 2).sum() / IMAGES.numel()
    adversarial = torch.log(1 + torch.exp(-s.D(made))).sum() / 8
    torch.testing.assert_close(values["loss"], 3 * pixel + 0.2 * adversarial)
    torch.testing.assert_close(values["pixel_loss"], pixel)
    torch.testing.assert_close(values["adversarial_loss"], adversarial)
    assert not any(value.requires_grad for name, value in values.items() if name != "loss")


@pytest.mark.usefixtures("random_features")
def test_the_perceptual_term_is_the_scaled_distance(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, pixel_weight=0.0, perceptual="stlpips", perceptual_weight=2.0, adversarial_weight=0.0)
    values = s.objective.loss_E(s.batch())
    made = s.G.synthesis(s.E(IMAGES))
    assert s.objective.perceptual is not None
    large = [images.float().repeat_interleave(2, 2).repeat_interleave(2, 3) for images in (IMAGES, made)]
    expected = 2 * SCALES["stlpips"] * s.objective.perceptual.network.distance(*large).mean()
    assert values["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    about = s.objective.about()["perceptual"]
    assert (about["name"], about["scale"], about["sha256"]) == ("stlpips", SCALES["stlpips"], "random")


def test_the_spread_is_the_variance_of_the_layers_and_nothing_for_one_w(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, adversarial_weight=0.0, spread_weight=3.0)
    values = s.objective.loss_E(s.batch())
    spread = s.E(IMAGES).var(1, correction=0).mean()
    torch.testing.assert_close(values["loss"], values["pixel_loss"] + 3 * spread)
    torch.testing.assert_close(values["spread"], spread)
    one = Setting(make_encoder, encoder={"space": "w"}, spread_weight=3.0)
    assert one.objective.loss_E(one.batch())["spread"].item() == pytest.approx(0, abs=1e-20)


def test_the_loss_of_d_is_logistic_with_r1_on_real_pictures(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, r1_gamma=4.0)
    values = s.objective.loss_D(s.batch())
    reals = IMAGES.clone().requires_grad_()
    real, fake = s.D(reals), s.D(s.G.synthesis(s.E(IMAGES)))
    (gradient,) = torch.autograd.grad(real.sum(), reals, create_graph=True)
    penalty = gradient.square().sum() / 8
    logistic = (torch.log(1 + torch.exp(-real)) + torch.log(1 + torch.exp(fake))).sum() / 8
    torch.testing.assert_close(values["loss"], logistic + 2 * penalty)
    torch.testing.assert_close(values["r1_penalty"], penalty)
    assert values["scores/real"].item() == pytest.approx(real.mean().item())
    assert values["scores/fake"].item() == pytest.approx(fake.mean().item())
    assert "r1_penalty" not in Setting(make_encoder, r1_gamma=0.0).objective.loss_D(s.batch())


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_the_conventional_loss_is_that_of_the_codes_of_made_pictures(make_encoder: MakeEncoder, space: str) -> None:
    s = Setting(make_encoder, encoder={"space": space}, learn_from="codes")
    batch = s.batch()
    loss = s.objective.loss_E_codes(batch)["loss"]
    (z,) = batch.draws.normal  # type: ignore[attr-defined]
    ws = s.G.mapping(z)
    target = z if space == "z" else ws
    torch.testing.assert_close(loss, ((s.E(s.G.synthesis(ws)) - target) ** 2).sum() / target.numel())


def test_a_perfect_encoder_has_no_loss(make_encoder: MakeEncoder) -> None:
    """Of codes: E(G(z)) = w; of pictures: G(E(x)) = x."""
    s = Setting(make_encoder, learn_from="codes")
    batch = s.batch()
    ws = s.G.mapping(SeededDraws(8).randn(s.G.z_dim))
    object.__setattr__(s.objective, "E", type("Perfect", (nn.Module,), {"space": "w+", "forward": lambda *_: ws})())
    assert s.objective.loss_E_codes(batch)["loss"] == 0
    made = Batch(s.G.synthesis(ws), None, batch.draws)
    s.objective.config = ObjectiveConfig(**PLAIN, adversarial_weight=0)
    assert s.objective.loss_E(made)["loss"].item() == pytest.approx(0, abs=1e-20)


@pytest.mark.usefixtures("random_features")
@pytest.mark.parametrize(
    ("phase", "name", "value"),
    [
        (0, "pixel_weight", 2.0),
        (0, "perceptual_weight", 2.0),
        (0, "perceptual", "none"),
        (0, "perceptual", "lite0"),
        (0, "adversarial_weight", 0.3),
        (0, "spread_weight", 0.3),
        (1, "r1_gamma", 1.0),
    ],
)
def test_every_option_changes_the_gradient(make_encoder: MakeEncoder, phase: int, name: str, value: object) -> None:
    before = Setting(make_encoder, perceptual="stlpips").gradients(phase)
    after = Setting(make_encoder, **{"perceptual": "stlpips", name: value}).gradients(phase)
    assert before.keys() == after.keys()
    changed = [key for key in before if not torch.allclose(before[key], after[key], rtol=1e-3, atol=0)]
    assert len(changed) > len(before) / 2


@pytest.mark.parametrize("room", NETWORKS)
@pytest.mark.parametrize("space", ["z", "w", "w+"])
@pytest.mark.parametrize("c_dim", [0, 2])
def test_generators_of_every_room_can_be_inverted(make_encoder: MakeEncoder, room: str, space: str, c_dim: int) -> None:
    for learn_from in ("pictures", "codes"):
        s = Setting(make_encoder, room, c_dim=c_dim, encoder={"space": space}, learn_from=learn_from)
        s.E.check_generator(s.G)
        for index in range(len(s.objective.phases())):
            gradients = s.gradients(index)
            assert gradients
            assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_phases_are_those_that_are_needed(make_encoder: MakeEncoder) -> None:
    def phases(**changes: Any) -> list[tuple[str, str, int, bool]]:
        found = Setting(make_encoder, **changes).objective.phases()
        return [(phase.name, phase.module, phase.interval, phase.needs_images) for phase in found]

    assert phases() == [("E", "E", 1, True), ("D", "D", 1, True)]
    assert phases(adversarial_weight=0) == [("E", "E", 1, True)]
    assert phases(learn_from="codes") == [("E", "E", 1, False)]


def test_the_conventional_encoder_never_looks_at_pictures_or_feature_networks(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, learn_from="codes", perceptual="lpips")
    assert s.objective.perceptual is None
    assert s.objective.about() == {}
    first = s.objective.loss_E_codes(s.batch())["loss"]
    other = Batch(-IMAGES, None, SeededDraws(8))  # type: ignore[arg-type]
    assert torch.equal(first, s.objective.loss_E_codes(other)["loss"])


@pytest.mark.parametrize(("phase", "learn_from"), [(0, "pictures"), (1, "pictures"), (0, "codes")])
def test_two_shares_of_a_batch_average_to_the_whole(make_encoder: MakeEncoder, phase: int, learn_from: str) -> None:
    """Strided shares, with the strided groups of minibatch standard deviation."""
    s = Setting(make_encoder, learn_from=learn_from)
    whole = {name: gradient.clone() for name, gradient in s.gradients(phase).items()}
    shares = [{n: g.clone() for n, g in s.gradients(phase, rank=rank, world=2).items()} for rank in range(2)]
    for name, gradient in whole.items():
        torch.testing.assert_close((shares[0][name] + shares[1][name]) / 2, gradient)


def test_processes_share_the_running_statistics_of_batch_normalisation(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder, encoder={"norm": "batch", "code_norm": True})
    seen: list[Tensor] = []

    def reduce_mean(tensor: Tensor) -> Tensor:
        seen.append(tensor)
        return torch.full_like(tensor, 7.0)

    s.context.reduce_mean = reduce_mean
    s.objective.loss_E(s.batch())
    running = [buffer for name, buffer in s.E.named_buffers() if "running" in name]
    assert len(seen) == 1
    assert sum(buffer.numel() for buffer in running) == seen[0].numel()
    assert all((buffer == 7).all() for buffer in running)
    s.E.eval()
    s.objective.loss_E(s.batch())
    assert len(seen) == 1, "nothing moves in evaluation mode"


def test_d_sees_augmented_pictures_and_e_those_of_the_data_set(make_encoder: MakeEncoder) -> None:
    s = Setting(make_encoder)
    s.context.augment = lambda images, draws: images.flip(3)
    values = s.objective.loss_E(s.batch())
    made = s.G.synthesis(s.E(IMAGES))
    torch.testing.assert_close(values["pixel_loss"], (made - IMAGES).square().mean())
    torch.testing.assert_close(values["adversarial_loss"], F.softplus(-s.D(made.flip(3))).mean())
    values = s.objective.loss_D(s.batch())
    assert values["scores/real"].item() == pytest.approx(s.D(IMAGES.flip(3)).mean().item())
    assert values["scores/fake"].item() == pytest.approx(s.D(made.flip(3)).mean().item())


def test_an_encoder_without_any_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no loss for the encoder, expected a weight above 0; set objective.pixel_w"):
        ObjectiveConfig(pixel_weight=0, perceptual_weight=0, adversarial_weight=0)
    assert ObjectiveConfig(pixel_weight=0, perceptual="none", learn_from="codes").learn_from == "codes"


@pytest.mark.parametrize(
    "name", ["pixel_weight", "perceptual_weight", "adversarial_weight", "r1_gamma", "spread_weight"]
)
def test_negative_weights_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"objective.{name}: got -1, expected >= 0"):
        ObjectiveConfig(**{name: -1})


def test_the_contract_of_encoders_is_kept(make_encoder: MakeEncoder) -> None:
    E = make_encoder()
    assert isinstance(E, base.Encoder)
    assert E.fingerprint == ""


def test_the_backward_pass_is_that_of_the_batch_s_own_statistics(make_encoder: MakeEncoder) -> None:
    """Sharing running statistics between forward and backward pass changes no gradient."""
    batch = {"norm": "batch", "code_norm": True}
    plain, shared = (Setting(make_encoder, encoder=batch) for _ in range(2))
    shared.context.reduce_mean = lambda tensor: tensor + 1
    one, other = plain.gradients(), shared.gradients()
    assert all(torch.equal(one[name], other[name]) for name in one)
