"""The classifier against layers written out, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner import registry
from limner.errors import ConfigError, ShapeError
from limner.papers.classifier import Classifier, ClassifierConfig

NAMES = {"Smiling": 2, "Bald": 0}


def build(**changes: object) -> Classifier:
    settings = {"img_resolution": (16, 16), "c_dim": 3, "attributes": NAMES, "channel_base": 128, "channel_max": 8}
    torch.manual_seed(0)
    C = Classifier(ClassifierConfig(**{**settings, **changes}))
    for name, parameter in C.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_()
    return C


def plain(C: Classifier, images: Tensor) -> Tensor:
    """ProGAN paper, Table 2, from its definitions: He's constant, convolutions, means of 2 x 2 pixels, leaky ReLU."""

    def layer(x: Tensor, part: torch.nn.Module, halve: bool = False) -> Tensor:
        weight = part.weight * math.sqrt(2 / part.weight[0].numel())
        x = F.conv2d(x, weight, part.bias, padding=weight.shape[-1] // 2)
        return F.leaky_relu(F.avg_pool2d(x, 2) if halve else x, 0.2)

    (network,) = C.networks
    x = layer(images, network.fromrgb)
    for name in network.blocks:
        block = network.get_submodule(name)
        x = layer(layer(x, block.conv0), block.conv1, halve=True)
    x = layer(x, network.conv).flatten(1)
    fc, out = network.fc, network.out
    x = F.leaky_relu(F.linear(x, fc.weight * math.sqrt(2 / fc.weight.shape[1]), fc.bias), 0.2)
    return F.linear(x, out.weight / math.sqrt(out.weight.shape[1]), out.bias)


def test_the_layers_are_those_of_the_paper() -> None:
    C, images = build(), torch.randn(3, 3, 16, 16)
    assert torch.allclose(C(images), plain(C, images), atol=1e-4)


def test_the_architecture_is_that_of_the_discriminator() -> None:
    """Layer by layer the shapes of ProGAN's discriminator without minibatch statistics and without its own score."""
    room = registry.get("papers", "progan")
    D = room.Discriminator(
        room.DiscriminatorConfig(img_resolution=(16, 16), channel_base=128, channel_max=8, mbstd_features=0)
    )
    (network,) = build(attributes={"Smiling": 0}).networks
    unused = {"b8.fromrgb", "b4.fromrgb"}  # of resolutions that it would grow from
    theirs = [list(p.shape) for name, p in D.named_parameters() if name.rpartition(".")[0] not in unused]
    assert sorted(theirs) == sorted(list(p.shape) for p in network.parameters())


def test_logits_are_in_the_order_of_the_attributes() -> None:
    C = build()
    assert C.attributes == ("Smiling", "Bald")
    assert C(torch.zeros(5, 3, 16, 16)).shape == (5, 2)
    c = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [-1.0, 0.5, 0.25]])
    assert C.targets(c).tolist() == [[0, 1], [1, 0], [1, 0]]


def test_networks_of_their_own_share_nothing() -> None:
    C, images = build(shared=False), torch.randn(2, 3, 16, 16)
    assert len(C.networks) == 2
    before = C(images)
    for parameter in C.networks[0].parameters():
        parameter.data += 1
    after = C(images)
    assert torch.equal(before[:, 1], after[:, 1])
    assert not torch.equal(before[:, 0], after[:, 0])


def test_a_picture_is_judged_by_itself() -> None:
    C, images = build(), torch.randn(4, 3, 16, 16)
    apart = torch.cat([C(image[None]) for image in images])
    assert torch.allclose(C(images), apart, atol=1e-5)


@pytest.mark.parametrize("resolution", [(16, 16), (16, 24), (12, 24)])
def test_pictures_need_not_be_square(resolution: tuple[int, int]) -> None:
    assert build(img_resolution=resolution)(torch.zeros(1, 3, *resolution)).shape == (1, 2)


def test_larger_pictures_are_averaged_over_boxes() -> None:
    C, images = build(), torch.randn(2, 3, 48, 48)
    assert torch.allclose(C.judge(images), C(F.avg_pool2d(images, 3)), atol=1e-5)


@pytest.mark.parametrize(("shape", "got"), [((3, 8, 8), "8x8 with 3"), ((3, 32, 16), "32x16"), ((1, 16, 16), "with 1")])
def test_pictures_it_was_not_trained_for_are_refused(shape: tuple[int, int, int], got: str) -> None:
    with pytest.raises(ShapeError, match=rf"expects pictures of 16x16 .* with 3 channels.*got.*{got}.*--resolution"):
        build().judge(torch.zeros(1, *shape))


def test_the_network_itself_takes_pictures_of_its_size_alone() -> None:
    with pytest.raises(ShapeError, match=r"\[N, 3, 16, 16\], got \[1, 3, 32, 32\]"):
        build()(torch.zeros(1, 3, 32, 32))


def test_a_classifier_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"classifier\.attributes: got none.*--data"):
        build(attributes={})


def test_a_place_outside_the_label_vector_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"classifier\.attributes"):
        build(attributes={"Smiling": 3})
