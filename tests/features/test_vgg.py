"""VGG16 against its layers one after another."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from features.plain import pictures, vgg16_layers
from limner.features import vgg
from limner.features.resize import tf1_bilinear


def test_the_trunk_taps_what_the_plain_layers_compute() -> None:
    state = vgg.random_state(vgg.Trunk(), 0)
    trunk = vgg.graph.frozen(vgg.Trunk(), state)
    plain = vgg16_layers()
    plain.load_state_dict({name.removeprefix("features."): value for name, value in state.items()}, assign=True)
    x = torch.randn(2, 3, 34, 33, generator=torch.Generator().manual_seed(0))
    taps = trunk(x)
    with torch.no_grad():
        for index, layer in enumerate(plain):
            x = layer(x)
            if index in (3, 8, 15, 22, 29):
                torch.testing.assert_close(taps.pop(0), x, atol=1e-4, rtol=1e-4)
    assert not taps


def test_the_features_are_the_second_dense_layer_of_normalised_pictures_after_its_relu() -> None:
    network = vgg.random(0)
    state = network.state_dict()
    images = pictures(1, 40, 40)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (tf1_bilinear(images, 224) / 255 - mean[:, None, None]) / std[:, None, None]
    plain = vgg16_layers()
    convolutions = {n.removeprefix("trunk.features."): v for n, v in state.items() if n.startswith("trunk.")}
    plain.load_state_dict(convolutions, assign=True)
    x = plain(x).flatten(1)
    for layer in ("0", "3"):
        x = F.relu(F.linear(x, state[f"classifier.{layer}.weight"], state[f"classifier.{layer}.bias"]))
    features = network(images)
    torch.testing.assert_close(features["fc"], x, atol=1e-3, rtol=1e-3)
    assert features["fc"].shape == (1, network.dims["fc"]) == (1, 4096)
    assert (features["fc"] > 0).float().mean() > 0.2
