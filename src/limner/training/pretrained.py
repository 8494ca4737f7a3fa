"""The finished generator that an encoder is trained for, and the discriminator that goes on from where it was left.

Source: IDInvert paper, Section 3.1 (the generator is fixed); official IDInvert training (G is the moving average, D
starts from the generator's own).
"""

from __future__ import annotations

from torch import nn

from limner.checkpoints.io import find_snapshot, fingerprint, load_tensors, network_names, read_networks
from limner.config import RunConfig
from limner.errors import CheckpointError
from limner.training.state import TrainingState

GENERATOR, DISCRIMINATOR = "generator_ema", "discriminator"
"""Names of the networks in the generator's snapshot."""


def take_generator(state: TrainingState, config: RunConfig) -> None:
    """Copy the generator of the snapshot `config.generator_from` into the state, and its D where D is trained.

    Raises:
        CheckpointError: no snapshot, a damaged one, one of another generator, or one without the discriminator needed.
    """
    source = config.generator_from
    assert source is not None
    folder = find_snapshot(source.path)
    assert state.G_ema is not None
    assert state.D is not None
    networks: dict[str, nn.Module] = {GENERATOR: state.G_ema, DISCRIMINATOR: state.D}
    if "D" not in state.optimizers:
        del networks[DISCRIMINATOR]
    elif DISCRIMINATOR not in network_names(folder):
        raise CheckpointError(
            f"'{folder}' has no {DISCRIMINATOR}.safetensors, which the adversarial loss of the encoder starts from; "
            "use a snapshot that has one, or train without: --set objective.adversarial_weight=0"
        )
    for name, tensors in read_networks(folder, networks).items():
        load_tensors(networks[name], tensors, str(folder / f"{name}.safetensors"))
        if name == GENERATOR and fingerprint(config, tensors) != source.fingerprint:
            raise CheckpointError(
                f"'{folder}' holds generator {fingerprint(config, tensors)}, expected {source.fingerprint}, the one "
                "this run was set up for; put that snapshot back, or start a new run"
            )


def start_encoder(state: TrainingState, config: RunConfig, *, is_fresh: bool) -> None:
    """Tell the encoder which generator it is for; a fresh one takes from it what its codes start from."""
    assert state.E is not None
    assert state.G_ema is not None
    assert config.generator_from is not None
    state.E.fingerprint = config.generator_from.fingerprint
    if is_fresh:
        state.E.start_from(state.G_ema)
