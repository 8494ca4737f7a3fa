"""Tensors under other names: what is done to them, and nothing that is overlooked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from limner.errors import CheckpointError
from limner.ops import renaming
from limner.ops.renaming import Renamed, Transform, channel_law, check_settings, copy_into, count, is_blur, number


def widths(base: int, most: int, level: int) -> int:
    return min(base // (4 * 2**level), most)


def renamed(foreign: dict[str, Tensor], *pairs: renaming.Pair) -> Renamed:
    return Renamed(foreign, pairs, "a.pkl", lambda name, tensor: name == "lod" and tensor.numel() == 1)


@pytest.mark.parametrize(
    ("transform", "index", "place"),
    [
        (renaming.COPY, (1, 0, 2, 1), (1, 0, 2, 1)),
        (renaming.CONV, (1, 0, 2, 1), (1, 0, 2, 1)),
        (renaming.TURNED_CONV, (1, 0, 2, 1), (1, 0, 0, 1)),
        (renaming.TF_CONV, (1, 0, 2, 1), (1, 2, 1, 0)),
        (renaming.TF_TURNED_CONV, (1, 0, 2, 1), (1, 2, 1, 2)),
        (renaming.TRANSPOSED, (2, 1), (1, 2)),
        (renaming.ONE_AXIS, (0, 1, 2), (1, 2)),
        (renaming.TWO_AXES, (0, 0, 1, 2), (1, 2)),
    ],
)
def test_a_number_goes_where_its_axes_say(transform: Transform, index: tuple[int, ...], place: tuple[int, ...]) -> None:
    """Of a [3, 3, 3, 3], [3, 3], ... of zeros with a single 1."""
    foreign = torch.zeros([1 if i < len(index) - len(place) else 3 for i in range(len(index))])
    foreign[index] = 1
    assert transform.fits(foreign.shape)
    assert transform.read(foreign).nonzero().tolist() == [list(place)]


@pytest.mark.parametrize(
    ("transform", "shape"),
    [
        (renaming.TRANSPOSED, (2, 2, 2)),
        (renaming.CONV, (2, 2)),
        (renaming.TF_CONV, (2,)),
        (renaming.TURNED_CONV, (2, 2, 2)),
        (renaming.ONE_AXIS, (2, 3)),
        (renaming.TWO_AXES, (1, 2, 3)),
    ],
)
def test_a_tensor_with_other_sides_does_not_fit(transform: Transform, shape: tuple[int, ...]) -> None:
    tensors = renamed({"theirs": torch.zeros(shape)}, ("ours", "theirs", transform))
    with pytest.raises(CheckpointError, match=r"'a.pkl': tensor 'theirs' has shape"):
        tensors["ours"]


def test_a_step_after_a_transform_keeps_what_fits() -> None:
    transform = renaming.CONV.then(lambda t: t.flatten(1))
    assert transform.read(torch.zeros(2, 3, 4, 4)).shape == (2, 48)
    assert not transform.fits(torch.Size([2, 3]))


def test_tensors_are_read_in_single_precision_when_they_are_asked_for() -> None:
    tensors = renamed({"theirs": torch.ones(2).half(), "lod": torch.zeros(())}, ("ours", "theirs", renaming.COPY))
    assert (list(tensors), len(tensors), tensors["ours"].dtype) == (["ours"], 1, torch.float32)


def test_a_tensor_of_no_known_use_is_refused_at_once() -> None:
    with pytest.raises(CheckpointError, match=r"got tensor 'more' of shape \[3\], which no such network here has"):
        renamed({"theirs": torch.ones(2), "more": torch.ones(3)}, ("ours", "theirs", renaming.COPY))


def test_two_tensors_for_one_place_are_refused() -> None:
    pairs = (("ours", "one", renaming.COPY), ("ours", "other", renaming.COPY))
    with pytest.raises(CheckpointError, match="got tensor 'one'"):
        renamed({"one": torch.ones(2), "other": torch.ones(2)}, *pairs)


def test_whole_numbers_are_no_weights() -> None:
    with pytest.raises(CheckpointError, match=r"type torch.int64"):
        renamed({"theirs": torch.ones(2, dtype=torch.int64)}, ("ours", "theirs", renaming.COPY))["ours"]


@pytest.mark.parametrize("tensor", [torch.zeros(2, 3), torch.zeros(0)])
def test_sizes_ask_for_a_number_of_sides(tensor: Tensor) -> None:
    tensors = renamed({"theirs": tensor}, ("ours", "theirs", renaming.COPY))
    with pytest.raises(CheckpointError, match=r"got shape .* for what is 'ours' here, expected 1 sides"):
        tensors.sizes("ours", 1)
    with pytest.raises(CheckpointError, match="got nothing for what is 'another' here"):
        tensors.sizes("another", 1)


def test_copying_takes_what_is_filled_in_only_where_the_file_has_nothing() -> None:
    module = nn.Linear(2, 1)
    weight, bias = torch.tensor([[3.0, 4.0]]), torch.tensor([5.0])
    tensors = renamed({"w": weight}, ("weight", "w", renaming.COPY))
    copy_into(module, tensors, "a.pkl", {"weight": torch.zeros(1, 2), "bias": bias})
    assert torch.equal(module.weight, weight)
    assert torch.equal(module.bias, bias)
    with pytest.raises(CheckpointError, match=r"got nothing for what is 'bias' here, expected \[1\]"):
        copy_into(module, tensors, "a.pkl")
    with pytest.raises(CheckpointError, match=r"got \[1, 2\] for what is 'weight' here, expected nothing"):
        copy_into(nn.Identity(), tensors, "a.pkl")
    with pytest.raises(CheckpointError, match=r"got \[1, 2\] for what is 'weight' here, expected \[1, 3\]"):
        copy_into(nn.Linear(3, 1, bias=False), tensors, "a.pkl")


def test_a_network_that_the_file_does_not_hold_is_refused_before_it_is_built() -> None:
    """10^12 numbers would not fit into memory; what may be filled in is allowed for."""
    with pytest.raises(CheckpointError, match=r"a network of 1,000,000,000,000 numbers, got 3,"):
        renaming.check_size(lambda: nn.Linear(10**6, 10**6, bias=False), {"a": torch.zeros(3)}, "a.pkl")
    renaming.check_size(lambda: nn.Linear(100, 100), {"a": torch.zeros(3)}, "a.pkl")


def test_more_doublings_than_any_picture_needs_are_refused() -> None:
    names = {f"block{level}" for level in range(1, 14)}
    assert renaming.count_doublings("block{}".format, names - {"block13"}, "a.pkl") == 12
    with pytest.raises(CheckpointError, match="got a network of 13 doublings"):
        renaming.count_doublings("block{}".format, names, "a.pkl")


def test_counting_ends_at_a_gap() -> None:
    assert count("layer{}".format, {"layer0", "layer1", "layer3"}) == 2
    assert count(lambda index: f"b{4 * 2**index}", {"b8", "b16"}, 1) == 2


def test_widths_take_the_recorded_law_or_else_the_smallest() -> None:
    assert channel_law([8, 8, 4], (71, 8), widths, "a.pkl") == (71, 8)
    assert channel_law([8, 8, 4], (0, 0), widths, "a.pkl") == (64, 8)
    assert channel_law([8, 8, 4], (512, 512), widths, "a.pkl") == (64, 8), "the recorded law gives others"
    assert channel_law([1, 1], (0, 0), lambda base, most, level: max(widths(base, most, level), 1), "a.pkl") == (8, 1)
    with pytest.raises(CheckpointError, match=r"layers have \[4, 8\] channels"):
        channel_law([4, 8], (0, 0), widths, "a.pkl")


def test_a_setting_is_refused_for_its_value_and_passed_over_when_it_was_not_recorded() -> None:
    known = {"nonlinearity": ("lrelu", None)}
    for settings in ({}, {"nonlinearity": None}, {"nonlinearity": "lrelu", "another": 3}):
        check_settings(settings, known, "a.pkl")
    with pytest.raises(CheckpointError, match=r"'a\.pkl' was trained with nonlinearity = 'relu'"):
        check_settings({"nonlinearity": "relu"}, known, "a.pkl")


@pytest.mark.parametrize(("recorded", "expected"), [(3, 3), (0.5, 0.5), ("3", 7), (None, 7), (2**40, 7)])
def test_a_recorded_number_is_taken_when_it_is_one(recorded: object, expected: float) -> None:
    assert number({"group": recorded}, "group", 7) == expected


def test_a_blur_is_the_binomial_filter_in_every_channel() -> None:
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = torch.outer(taps, taps) / 16
    for blur in (kernel, kernel.expand(5, 1, 3, 3)):
        assert is_blur(blur)
    for other in (kernel * 2, torch.ones(3, 3) / 9, kernel[None, :2]):
        assert not is_blur(other)
