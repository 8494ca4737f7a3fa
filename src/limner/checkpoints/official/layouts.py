"""Which program wrote a file, told from its structure and the names of its tensors, never from the name of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limner.checkpoints.official.foreign import (
    PERSISTENT,
    TENSORFLOW,
    ForeignFile,
    ForeignNetwork,
    persistent_network,
    plain,
    state_dict,
    tensorflow_network,
)
from limner.checkpoints.official.quota import Quota
from limner.checkpoints.official.records import Record, Tensors
from limner.errors import CheckpointError

STATE_DICT_MARKS = (
    ("rosinality", "stylegan2", "g_ema", ("input.input", "conv1.conv.weight")),
    ("rosinality", "stylegan2", "d", ("final_linear.1.weight", "convs.0.0.weight")),
    ("rosinality", "stylegan", "g_running", ("generator.progression.0.conv1.input",)),
    (
        "rosinality",
        "stylegan",
        "discriminator",
        ("linear.linear.weight_orig", "progression.0.conv2.1.conv.weight_orig"),
    ),
    ("genforce", "stylegan2", "generator_smooth", ("synthesis.early_layer.const",)),
    ("genforce", "stylegan", "generator_smooth", ("synthesis.layer0.const", "mapping.dense0.weight")),
    ("genforce", "progan", "generator_smooth", ("layer0.weight", "output0.weight")),
    ("idinvert", "stylegan", "generator", ("mapping.dense0.fc.weight", "synthesis.layer0.const")),
    ("idinvert", "idinvert", "encoder", ("block0.conv.weight", "block1.conv1.weight")),
)
"""(layout, room, name of such a network when it is alone in a file, names of tensors that only such a network has)."""
NETWORK_NAMES = ("g_ema", "g", "d", "g_running", "generator_smooth", "generator", "discriminator")
"""Names under which training programs keep state dicts."""


def recognise(path: str, value: Any, quota: Quota) -> ForeignFile:
    """Say what was read.

    Args:
        path: of the file, for messages.
        value: what is in it.
        quota: what is left of its quota.

    Raises:
        CheckpointError: it is of a program whose networks limner does not hold, or of an unknown one.
    """
    if isinstance(value, list | tuple):
        found = _tensorflow(path, value, quota)
    elif isinstance(value, dict):
        found = _persistent(path, value, quota) or _state_dicts(path, value, quota)
    else:
        found = None
    if found is None:
        raise CheckpointError(
            f"'{path}' is not a checkpoint limner knows, expected one of NVIDIA (.pkl), rosinality (.pt, .model) or "
            "genforce (.pth) with a style-based GAN in it"
        )
    return found


def _persistent(path: str, value: Mapping[Any, Any], quota: Quota) -> ForeignFile | None:
    records = {
        name: item
        for name, item in value.items()
        if isinstance(name, str) and isinstance(item, Record) and item.path.startswith(PERSISTENT)
    }
    networks = {name: persistent_network(record, quota) for name, record in records.items()}
    if "G_ema" not in networks and "G" not in networks:
        return None
    names = networks["G_ema" if "G_ema" in networks else "G"].tensors
    if "synthesis.input.weight" in names or "synthesis.input.freqs" in names:
        raise CheckpointError(
            f"'{path}' holds a StyleGAN3 generator, expected StyleGAN2; its layers are filtered and rotated in ways no "
            "network of limner computes: use NVIDIA's program"
        )
    if "synthesis.b4.const" not in names:
        raise CheckpointError(
            f"'{path}' holds a generator of class {networks['G_ema' if 'G_ema' in networks else 'G'].class_name!a}, "
            "expected StyleGAN2; limner has no such network: use the program it comes from"
        )
    return ForeignFile(path=path, layout="nvidia-pytorch", room="stylegan2", networks=networks)


def _tensorflow(path: str, value: list[Any] | tuple[Any, ...], quota: Quota) -> ForeignFile | None:
    records = [item for item in value if isinstance(item, Record) and item.path in TENSORFLOW]
    if len(records) != len(value) or len(value) not in (3, 4):
        return None
    order = ("G", "D", "Gs") if len(value) == 3 else ("E", "G", "D", "Gs")
    networks = {name: tensorflow_network(record, quota) for name, record in zip(order, records, strict=True)}
    names = list(networks["Gs"].tensors)
    if any("mod_weight" in name for name in names):
        room = "stylegan2"
    elif any("StyleMod" in name for name in names) or "synthesis/4x4/Dense/weight" in names:  # with styles or without
        room = "stylegan"
    elif "4x4/Dense/weight" in names:
        room = "progan"
    else:
        return None
    return ForeignFile(path=path, layout="nvidia-tensorflow", room=room, networks=networks)


def _state_dicts(path: str, value: Mapping[Any, Any], quota: Quota) -> ForeignFile | None:
    if "GAN" in value:
        raise CheckpointError(
            f"'{path}' is of lucidrains' stylegan2_pytorch, whose networks are not StyleGAN2's (no equalized learning "
            "rate, other filters, no average of w), expected weights of the published networks; use that program"
        )
    models = value.get("models")
    source = models if isinstance(models, dict) else value
    found = {name: tensors for name in NETWORK_NAMES if (tensors := state_dict(source.get(name), quota)) is not None}
    marks = [mark for tensors in found.values() if (mark := _mark(tensors)) is not None]
    if not found and (whole := state_dict(source, quota)) is not None and (mark := _mark(whole)) is not None:
        found, marks = {mark[2]: whole}, [mark]
    if len({mark[:2] for mark in marks}) != 1:
        return None
    layout, room, _ = marks[0]
    networks = {name: ForeignNetwork(class_name="", settings={}, tensors=tensors) for name, tensors in found.items()}
    average = state_dict({"latent_avg": value.get("latent_avg")}, quota)
    extras = {"ada_aug_p": plain(value.get("ada_aug_p"), quota), "tensors": average or {}}
    return ForeignFile(path=path, layout=layout, room=room, networks=networks, extras=extras)


def _mark(tensors: Tensors) -> tuple[str, str, str] | None:
    """Return (layout, room, name) of a state dict; None for an unknown one."""
    for layout, room, name, marks in STATE_DICT_MARKS:
        if all(mark in tensors for mark in marks):
            return layout, room, name
    return None
