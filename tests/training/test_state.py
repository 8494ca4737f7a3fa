"""The training state: optimisers corrected for lazy regularization, and its plain tree."""

from __future__ import annotations

import pytest
import torch

from limner.config import RunConfig
from limner.errors import CheckpointError
from limner.papers.base import ObjectiveContext
from limner.training.state import TrainingState, from_tree, initial_state, to_tree
from training.runs import assert_same_state, flat, tiny

CPU = torch.device("cpu")


def build(config: RunConfig) -> TrainingState:
    return initial_state(config, ObjectiveContext(), CPU)


def settings_of(state: TrainingState, name: str) -> tuple[float, tuple[float, float]]:
    (group,) = state.optimizers[name].param_groups
    return group["lr"], group["betas"]


def test_adam_is_corrected_for_steps_that_come_every_k_iterations() -> None:
    """StyleGAN2 paper, Appendix B: with c = k / (k + 1), lr becomes c lr and each beta becomes beta^c."""
    config = tiny("samples", 1, objective__pl_weight=2.0, optimizer__g_lr=0.002, optimizer__d_lr=0.003)
    state = build(config)
    lr, betas = settings_of(state, "G")
    assert lr == pytest.approx(0.002 * 4 / 5)
    assert betas == (0.0, pytest.approx(0.99 ** (4 / 5)))
    lr, betas = settings_of(state, "D")
    assert lr == pytest.approx(0.003 * 16 / 17)
    assert betas == (0.0, pytest.approx(0.99 ** (16 / 17)))


@pytest.mark.parametrize("changes", [{"objective__pl_weight": 0.0}, {"objective__pl_interval": 1}])
def test_adam_is_as_given_without_lazy_steps(changes: dict[str, float]) -> None:
    lr, betas = settings_of(build(tiny("samples", 1, **changes)), "G")
    assert (lr, betas) == (0.0025, (0.0, 0.99))


def test_the_seed_alone_decides_the_first_state() -> None:
    config = tiny("samples", 1, seed=5)
    torch.manual_seed(1)
    first = to_tree(build(config))
    torch.manual_seed(2)
    assert_same_state(to_tree(build(config)), first)
    other = flat(to_tree(build(tiny("samples", 1, seed=6))))
    assert not torch.equal(
        other["/modules/G/synthesis_network.b4.const"], first["modules"]["G"]["synthesis_network.b4.const"]
    )


def test_building_leaves_the_random_numbers_of_the_program_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build(tiny("samples", 1))
    assert torch.equal(torch.rand(3), expected)


def test_the_average_starts_as_a_copy_that_is_not_trained() -> None:
    state = build(tiny("samples", 1))
    for one, other in zip(state.G.parameters(), state.G_ema.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one is not other
        assert not other.requires_grad


def test_a_state_comes_back_from_its_tree() -> None:
    config = tiny("samples", 1, augment__mode="ada")
    state = build(config)
    for name, optimizer in state.optimizers.items():
        sum(parameter.square().sum() for parameter in getattr(state, name).parameters()).backward()
        optimizer.step()
    state.rng.manual_seed(11)
    state.augment_p.fill_(0.25)
    state.augment_stats.copy_(torch.tensor([1.5, 2.0]))
    state.nimg, state.iteration, state.tick, state.elapsed_sec = 80, 10, 2, 1.5
    state.best = {"value": 3.0, "kimg": 0.04}
    tree = to_tree(state)
    other = build(config)
    p = other.augment_p
    from_tree(other, tree, "here")
    assert_same_state(to_tree(other), tree)
    assert other.elapsed_sec == 1.5
    assert other.augment_p is p, "the augmentation holds this tensor"


def test_the_tree_holds_everything_the_state_has() -> None:
    state = build(tiny("samples", 1))
    tree = to_tree(state)
    assert {*tree} - {"modules"} | {*tree["modules"]} == {*vars(state)} - {"E", "C"}  # of other runs


def test_a_state_of_other_networks_is_refused() -> None:
    tree = to_tree(build(tiny("samples", 1)))
    wider = build(tiny("samples", 1, generator__channel_max=12))
    with pytest.raises(CheckpointError, match=r"here \(G\)"):
        from_tree(wider, tree, "here")


@pytest.mark.parametrize("missing", ["nimg", "rng", "optimizers", "augment_p"])
def test_a_state_that_lacks_something_is_refused(missing: str) -> None:
    state = build(tiny("samples", 1))
    tree = to_tree(state)
    del tree[missing]
    with pytest.raises(CheckpointError, match=f"'here' is not a training state of this run.*{missing}.*another --out"):
        from_tree(state, tree, "here")


def test_a_state_from_another_kind_of_device_goes_on_with_fresh_random_numbers() -> None:
    state = build(tiny("samples", 1))
    tree = to_tree(state)
    tree["rng"] = {"device": "cuda", "state": torch.zeros(16, dtype=torch.uint8)}
    tree["iteration"] = 7
    before = state.rng.get_state()
    from_tree(state, tree, "here")
    assert not torch.equal(state.rng.get_state(), before)
