"""The training state: one dataclass whose fields are exactly what resuming needs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from limner import registry
from limner.checkpoints.io import load_tensors
from limner.config import RunConfig
from limner.errors import CheckpointError, ConfigError
from limner.papers.base import Classifier, Discriminator, Encoder, Generator, Objective, ObjectiveContext, Phase
from limner.training.ema import update_ema
from limner.training.schedule import Moment, moment


@dataclass(kw_only=True)
class TrainingState:
    """Networks, averages, optimisers and counters of a run.

    Data order is a function of (seed, nimg), so no sampler needs saving.
    """

    G: Generator | None = None
    """Generator, trained; where an encoder is trained, the finished one that does not move. None where a classifier is
    trained."""
    D: Discriminator | None = None
    """Discriminator, trained; None where a classifier is."""
    G_ema: Generator | None = None
    """Moving average of G; what samples, metrics and users see. Where an encoder is trained, G itself; where a
    classifier is, None."""
    E: Encoder | None = None
    """Encoder, trained; None where another network is."""
    C: Classifier | None = None
    """Classifier, trained; None where another network is."""
    objective: Objective
    """Its buffers hold `pl_mean`."""
    optimizers: dict[str, torch.optim.Optimizer]
    """Module name (`G`, `D`, `E`, `C`) -> optimiser."""
    rng: torch.Generator
    """Source of every random draw of training, the same on every process."""
    augment_p: torch.Tensor
    """[] probability of augmentation; adjusted by ADA."""
    augment_stats: torch.Tensor
    """[2] sum of sign(D(real)) and count since p was last adjusted."""
    nimg: int = 0
    """Real images shown to D so far."""
    iteration: int = 0
    """Iterations so far."""
    lod: float = 0.0
    """Level of detail of the last iteration, or of the first before it (see `ops.growing`)."""
    tick: int = 0
    """Ticks so far."""
    elapsed_sec: float = 0.0
    """Training time so far over all sessions of the run."""
    best: dict[str, float] | None = None
    """`value` and `kimg` of the best snapshot by the first metric; None before the first."""

    def modules(self) -> dict[str, torch.nn.Module]:
        """Everything with tensors, by its name in a state file."""
        trained = ("G", "D", "G_ema") if self.E is None else ("E", "D", "G_ema")
        found = self._present("C", *trained)
        return {**found, "objective": self.objective}

    def networks(self) -> dict[str, torch.nn.Module]:
        """What a snapshot holds, by its name there."""
        names = {"generator": "G", "generator_ema": "G_ema", "discriminator": "D", "encoder": "E", "classifier": "C"}
        if self.E is not None:
            del names["generator"]
            if "D" not in self.optimizers:
                del names["discriminator"]
        found = self._present(*names.values())
        return {name: found[short] for name, short in names.items() if short in found}

    def grow(self, lod: float) -> None:
        """Take up another level of detail, also as what the generators make by themselves."""
        self.lod = lod
        for generator in (self.G, self.G_ema):
            if generator is not None:
                generator.lod = lod

    def average(self, decay: float) -> None:
        """Advance the moving average of a generator that is trained (see `ema.update_ema`)."""
        if self.G is not None and self.G_ema is not None and self.E is None:
            update_ema(self.G_ema, self.G, decay)

    def select(self, phase: Phase, num_frozen: int) -> list[torch.nn.Parameter]:
        """Let the parameters that move in `phase` have gradients, and no others; return them.

        Args:
            phase: what comes next.
            num_frozen: first layers of D that never move.
        """
        networks = self._present("G", "D", "E", "C")
        for name, network in networks.items():
            network.requires_grad_(name == phase.module)
        if self.D is not None:
            for layer in self.D.freezable_layers()[:num_frozen]:
                layer.requires_grad_(False)
        return [parameter for parameter in networks[phase.module].parameters() if parameter.requires_grad]

    def _present(self, *names: str) -> dict[str, torch.nn.Module]:
        """Return those of the named networks that the run has."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


_COUNTERS = ("nimg", "iteration", "tick", "elapsed_sec", "best")
_TENSORS = ("augment_p", "augment_stats")


def initial_state(config: RunConfig, context: ObjectiveContext, device: torch.device) -> TrainingState:
    """Build networks and optimisers from the seed.

    Raises:
        ConfigError: the networks cannot be built, or more layers of D are to be frozen than it has.
        WeightsError: the objective needs a feature network whose weights are not here.
    """
    build = _networks_of_gan if config.classifier is None else _classifier
    networks, objective = build(config, context, device)
    state = TrainingState(
        **networks,
        objective=objective,
        optimizers={
            name: _optimizer(config, name, networks[name], objective.phases())
            for name in dict.fromkeys(phase.module for phase in objective.phases())
        },
        rng=torch.Generator(device).manual_seed(config.seed + 1),
        augment_p=torch.tensor(config.augment.p, device=device),
        augment_stats=torch.zeros(2, device=device),
    )
    state.grow(moment(config, 0).lod)
    return state


def _classifier(config: RunConfig, context: ObjectiveContext, device: torch.device) -> tuple[dict[str, Any], Objective]:
    """Build a classifier and its objective."""
    room = registry.get("papers", config.room)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        C = room.Classifier(config.classifier)
    C = C.to(device).train()
    return {"C": C}, room.Objective(config.objective, C, context).to(device)


def _networks_of_gan(
    config: RunConfig, context: ObjectiveContext, device: torch.device
) -> tuple[dict[str, Any], Objective]:
    """Build generator and discriminator, the encoder of a run that trains one, and the objective."""
    room, networks_room = registry.get("papers", config.room), registry.get("papers", config.generator_room)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        G, D = networks_room.Generator(config.generator), networks_room.Discriminator(config.discriminator)
        E = None if config.encoder is None else room.Encoder(config.encoder)
    G, D = G.to(device).train(), D.to(device).train()
    networks = {"G": G, "D": D}
    if E is None:
        G_ema = copy.deepcopy(G).eval().requires_grad_(False)
        objective = room.Objective(config.objective, G, D, context).to(device)
    else:
        G_ema = G.eval().requires_grad_(False)
        E.check_generator(G)
        networks["E"] = E = E.to(device).train()
        objective = room.Objective(config.objective, E, G, D, context).to(device)
    num_layers, num_frozen = len(D.freezable_layers()), config.optimizer.freeze_d
    if num_frozen > num_layers:
        raise ConfigError(
            f"optimizer.freeze_d: got {num_frozen}, expected at most {num_layers}, the layers of this discriminator; "
            "change --freeze-d"
        )
    return {**networks, "G_ema": G_ema}, objective


def learning_rate(now: Moment, name: str, phases: Sequence[Phase]) -> float:
    """Learning rate of a module, corrected for lazy regularization (StyleGAN2 paper, Appendix B)."""
    return (now.d_lr if name == "D" else now.g_lr) * lazy_ratio(name, phases)


def lazy_ratio(name: str, phases: Sequence[Phase]) -> float:
    """k / (k + 1) for a module regularized once in k of its own steps; 1 without lazy regularization."""
    intervals = [phase.interval for phase in phases if phase.module == name]
    k = max(intervals) / min(intervals)
    return k / (k + 1) if k > 1 else 1.0


def _optimizer(config: RunConfig, name: str, module: torch.nn.Module, phases: Sequence[Phase]) -> torch.optim.Optimizer:
    ratio = lazy_ratio(name, phases)
    betas = (config.optimizer.beta1**ratio, config.optimizer.beta2**ratio)
    return torch.optim.Adam(
        module.parameters(),
        lr=learning_rate(moment(config, 0), name, phases),
        betas=betas,
        eps=config.optimizer.eps,
        fused=True,
    )


def to_tree(state: TrainingState) -> dict[str, Any]:
    """Return the state as plain values and tensors."""
    tree: dict[str, Any] = {name: getattr(state, name) for name in (*_COUNTERS, *_TENSORS, "lod")}
    tree["rng"] = {"device": state.rng.device.type, "state": state.rng.get_state()}
    tree["modules"] = {name: dict(module.state_dict()) for name, module in state.modules().items()}
    tree["optimizers"] = {name: optimizer.state_dict() for name, optimizer in state.optimizers.items()}
    return tree


def from_tree(state: TrainingState, tree: dict[str, Any], source: str) -> None:
    """Restore a state from what `to_tree` returned.

    Raises:
        CheckpointError: it belongs to other networks.
    """
    try:
        for name, module in state.modules().items():
            load_tensors(module, tree["modules"][name], f"{source} ({name})")
        for name, optimizer in state.optimizers.items():
            optimizer.load_state_dict(tree["optimizers"][name])
        for name in _TENSORS:
            getattr(state, name).copy_(tree[name])
        for name in _COUNTERS:
            setattr(state, name, tree[name])
        state.grow(tree.get("lod", 0.0))  # absent in states written before networks could grow
        if tree["rng"]["device"] == state.rng.device.type:
            state.rng.set_state(tree["rng"]["state"])
        else:  # generators of different devices have no common form: continue from a number both know
            state.rng.manual_seed(state.rng.initial_seed() + state.iteration)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"'{source}' is not a training state of this run: {error}; use another --out") from None
