"""Minibatch standard deviation against loops over its groups."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.minibatch_std import minibatch_std
from ops import plain


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("num_features", [1, 2, 4])
@pytest.mark.parametrize(("n", "group"), [(8, 4), (6, 3), (4, 4), (5, 1), (3, 3)])
def test_it_equals_loops_over_strided_groups(n: int, group: int, num_features: int) -> None:
    x = torch.randn(n, 4, 3, 2).double()
    torch.testing.assert_close(minibatch_std(x, group, num_features), plain.minibatch_std(x, group, num_features))


def test_two_samples_a_and_b_give_half_their_distance() -> None:
    x = torch.tensor([1.0, 4.0]).reshape(2, 1, 1, 1)
    torch.testing.assert_close(minibatch_std(x, 2)[:, 1].flatten(), torch.tensor([1.5, 1.5]))


@pytest.mark.parametrize(("n", "asked", "used"), [(6, 4, 3), (7, 4, 1), (2, 4, 2), (9, None, 9), (1, 4, 1)])
def test_a_batch_the_group_does_not_divide_uses_the_largest_smaller_group(n: int, asked: int | None, used: int) -> None:
    x = torch.randn(n, 2, 2, 3).double()
    torch.testing.assert_close(minibatch_std(x, asked), plain.minibatch_std(x, used))


@pytest.mark.parametrize("processes", [2, 3])
def test_a_process_that_holds_every_kth_sample_sees_whole_groups_of_the_full_batch(processes: int) -> None:
    x = torch.randn(24, 4, 2, 2)
    full = minibatch_std(x, 4, 2)
    for rank in range(processes):
        torch.testing.assert_close(minibatch_std(x[rank::processes], 4, 2), full[rank::processes], rtol=0, atol=0)


def test_contiguous_shares_would_not_see_the_groups_of_the_full_batch() -> None:
    x = torch.randn(8, 2, 2, 2)
    assert not torch.allclose(minibatch_std(x[:4], 4), minibatch_std(x, 4)[:4])


def test_the_statistic_ignores_a_common_shift_and_is_proportional_to_the_scale() -> None:
    x = torch.randn(4, 3, 2, 2).double()
    torch.testing.assert_close(minibatch_std(2 * x + 5, 4)[:, 3:], 2 * minibatch_std(x, 4)[:, 3:], rtol=1e-6, atol=1e-6)


def test_first_and_second_derivatives_are_right() -> None:
    x = torch.randn(4, 2, 2, 1).double().requires_grad_()

    def statistic(x: Tensor) -> Tensor:
        return minibatch_std(x, 2, 2)

    assert gradcheck(statistic, x)
    assert gradgradcheck(statistic, x)


def test_the_gradient_of_equal_samples_is_finite() -> None:
    """The epsilon keeps the root differentiable at zero deviation, so second derivatives exist too."""
    x = torch.ones(4, 2, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(minibatch_std(x, 4)[:, 2:].sum(), x, create_graph=True)
    assert torch.isfinite(torch.autograd.grad(gradient.square().sum() + gradient.sum(), x)[0]).all()
