"""Single style channels that carry an attribute.

Source: StyleSpace (Wu et al. 2021), Section 5: styles of a few pictures with the attribute, standardised by those of a
bank of pictures; channels are ranked by the size of the mean of these numbers over their deviation. An edit moves one
channel, in its standard deviations, in the direction the mean has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from limner.editing import base
from limner.editing.base import Direction
from limner.editing.engine.styles import StyleLayer, place_of
from limner.errors import ConfigError, ShapeError

LEAST_DEVIATION = 1e-8
"""A channel that varies less says nothing."""


class Edit(base.Edit):
    """A ranking of style channels."""

    name = "channels"

    def __init__(self, *, count: int = 5, num_positive: int = 10) -> None:
        """Take hyper-parameters.

        Args:
            count: channels wanted.
            num_positive: pictures with the attribute that are looked at: those with the highest scores.
        """
        if num_positive < 2:
            raise ConfigError(f"channels: got {num_positive} positive pictures, expected at least 2")
        self.count, self.num_positive = count, num_positive

    def fit(self, layers: Sequence[StyleLayer], styles: Tensor, scores: Tensor, *, attribute: str) -> Edit:
        """Rank the channels for an attribute.

        Args:
            layers: the style layers of the generator (see `engine.styles`).
            styles: [N, S] of a bank of pictures.
            scores: [N], above 0 where a picture has the attribute.
            attribute: its name.

        Raises:
            ShapeError: not one score a picture.
            ConfigError: fewer than two pictures have the attribute, or all have.
        """
        if scores.shape != (len(styles),):
            raise ShapeError(
                f"channels: got scores of {list(scores.shape)} for {len(styles)} pictures, expected one each"
            )
        count = min(self.num_positive, int((scores > 0).sum()))
        if count < 2 or bool((scores > 0).all()):
            raise ConfigError(
                f"attribute '{attribute}': {int((scores > 0).sum())} of {len(scores)} pictures have it, expected at "
                "least 2 with and one without; sample more, or leave it out"
            )
        values, ranks = relevance(styles, styles[scores.argsort(descending=True)[:count]])
        deviations = styles.std(0)
        self.directions_ = []
        for index in ranks[: self.count].tolist():
            layer, channel = place_of(layers, index)
            vector = torch.zeros(styles.shape[1])
            vector[index] = values[index].sign()
            self.directions_.append(
                Direction(
                    name=f"{attribute}-{layer.name}-{channel}",
                    space="s",
                    vector=vector,
                    deviation=deviations[index].item(),
                    layers=(layer.layer,),
                    source="channels",
                    numbers={"relevance": values[index].abs().item(), "channel": float(channel)},
                )
            )
        return self


def relevance(bank: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Return how well each channel of styles [N, S] tells positive ones [K, S] apart, signed, and the ranking: [S]."""
    deviation = bank.std(0)
    standard = (positive - bank.mean(0)) / deviation.clamp_min(LEAST_DEVIATION)  # [K, S]
    values = standard.mean(0) / standard.std(0).clamp_min(LEAST_DEVIATION)
    values = torch.where(deviation > LEAST_DEVIATION, values, torch.zeros_like(values))
    return values, values.abs().argsort(descending=True, stable=True)
