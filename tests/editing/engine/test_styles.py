"""Style layers are found by asking; moving a style moves the picture and nothing stays behind."""

from __future__ import annotations

import pytest
import torch

from inversion.conftest import room_generator
from limner.editing.engine.samples import sampled_codes
from limner.editing.engine.styles import place_of, shifted, style_layers, styles
from limner.errors import ShapeError


def test_stylegan2_reads_a_w_in_every_convolution_and_rgb_layer() -> None:
    found = style_layers(room_generator("stylegan2"))
    names = [(layer.name.removeprefix("synthesis_network."), layer.layer) for layer in found]
    assert names == [
        ("b4.conv1.affine", 0),
        ("b4.torgb.affine", 1),
        ("b8.conv0.affine", 1),
        ("b8.conv1.affine", 2),
        ("b8.torgb.affine", 3),
        ("b16.conv0.affine", 3),
        ("b16.conv1.affine", 4),
        ("b16.torgb.affine", 5),
    ]


def test_stylegan_has_one_a_layer_and_progan_its_first() -> None:
    found = style_layers(room_generator("stylegan", (16, 8)))
    assert [layer.layer for layer in found] == list(range(len(found)))
    assert [(layer.name, layer.layer) for layer in style_layers(room_generator("progan"))] == [
        ("synthesis_network.b4.dense", 0)
    ]


@pytest.mark.parametrize("room", ["stylegan2", "stylegan", "progan"])
def test_a_shift_by_what_another_code_gives_is_that_codes_picture(room: str) -> None:
    generator = room_generator(room)
    layers = style_layers(generator)
    ws = sampled_codes(generator, 2)[1]
    first, second = styles(layers, ws)
    before = generator.synthesis(ws)
    with shifted(layers, second - first):
        moved = generator.synthesis(ws[:1])
    assert torch.allclose(moved, before[1:], atol=1e-9)
    assert torch.equal(generator.synthesis(ws), before)


def test_numbers_of_channels_are_found_and_other_offsets_refused() -> None:
    layers = style_layers(room_generator("stylegan2"))
    first = layers[0].num_channels
    assert place_of(layers, first - 1) == (layers[0], first - 1)
    assert place_of(layers, first) == (layers[1], 0)
    total = sum(layer.num_channels for layer in layers)
    with pytest.raises(ShapeError, match="beyond the last"):
        place_of(layers, total)
    with pytest.raises(ShapeError, match="got an offset of 3 numbers"), shifted(layers, torch.zeros(3)):
        pass
