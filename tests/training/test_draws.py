"""Random numbers: the shares of processes and rounds make up the numbers of one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limner.training.draws import SharedDraws


def draw_all(draws: SharedDraws) -> dict[str, Tensor]:
    labels = draws.labels()
    assert labels is not None
    return {
        "randn": draws.randn(3, 2),
        "rand": draws.rand(),
        "scalar": draws.scalar(),
        "labels": labels,
        "part": draws.randn(4, total=draws.reduced_total(2)),
        "after": draws.rand(5),
    }


def share(start: int, step: int, batch: int = 16) -> dict[str, Tensor]:
    table = torch.eye(7)
    rng = torch.Generator().manual_seed(3)
    return draw_all(SharedDraws(rng, batch=batch, start=start, step=step, label_table=table))


@pytest.mark.parametrize("step", [2, 4, 8])
def test_strided_shares_interleave_to_the_draw_of_one_process(step: int) -> None:
    whole, shares = share(0, 1), [share(start, step) for start in range(step)]
    for name, expected in whole.items():
        if expected.ndim == 0:
            assert all(torch.equal(one[name], expected) for one in shares)
        else:
            assert all(len(one[name]) == len(expected) // step for one in shares)
            assert torch.equal(torch.stack([one[name] for one in shares], 1).flatten(0, 1), expected), name


def test_rounds_of_processes_are_shares_too() -> None:
    """Round i of process r among K processes and R rounds is share i K + r of K R."""
    num_rounds, world = 2, 2
    whole = share(0, 1)["randn"]
    parts = {(i, r): share(i * world + r, num_rounds * world)["randn"] for i in range(num_rounds) for r in range(world)}
    for sample in range(16):
        local, rank = divmod(sample, world)  # the loader gives process `rank` the samples j world + rank
        row, index = divmod(local, num_rounds)  # the loop gives round `index` every `num_rounds`-th of them
        assert torch.equal(parts[index, rank][row], whole[sample])


def test_a_part_of_the_batch_has_every_share_divided() -> None:
    assert SharedDraws(torch.Generator(), batch=16, step=2).reduced_total(2) == 8
    assert SharedDraws(torch.Generator(), batch=16).reduced_total(2) == 8


def test_a_part_of_the_batch_holds_at_least_one_sample_a_share() -> None:
    assert SharedDraws(torch.Generator(), batch=4, step=4).reduced_total(2) == 4
    assert len(SharedDraws(torch.Generator(), batch=4, start=3, step=4).randn(2, total=4)) == 1


def test_there_are_no_labels_without_a_table() -> None:
    assert SharedDraws(torch.Generator(), batch=4).labels() is None


def test_labels_follow_their_frequency_in_the_training_set() -> None:
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    labels = SharedDraws(torch.Generator().manual_seed(0), batch=4000, label_table=table).labels()
    assert labels is not None
    assert abs(float(labels[:, 1].mean()) - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5
