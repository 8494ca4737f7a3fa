"""Generators as graphs for other runtimes: ONNX, and the programs of torch.export.

A graph takes z [N, z_dim], truncation_psi [] and, of a conditional generator, labels c [N, c_dim], and gives images
[N, C, H, W]. Or it is in two parts, for who edits in between: the mapping gives ws [N, num_ws, w_dim], which the
synthesis takes. Noise maps are the stored ones. A graph is compared with the generator it was made from, on other
latents, and on other batches where any will do.
"""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from limner.checkpoints.io import find_snapshot, load_config, read_document
from limner.checkpoints.networks import load_generator
from limner.errors import CheckpointError, ConfigError, MissingExtraError
from limner.papers.base import Generator, seed_to_z
from limner.runtime import atomic_file

ExportTarget = Literal["onnx", "torch-export"]
ENDINGS = {"onnx": ".onnx", "torch-export": ".pt2"}
"""Format -> ending of its files."""
CHECKED_BATCHES = (1, 2, 5)
"""Sizes of batches that a graph for any batch is compared on."""
PSI = 0.7
"""Truncation of the comparison."""

Run = Callable[[Sequence[Tensor]], Tensor]
"""Runs a graph."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    paths: tuple[Path, ...]
    """One graph, or mapping and synthesis."""
    difference: float | None = None
    """Largest difference of its pictures from the generator's; None where nothing here could run it."""
    largest: float | None = None
    """Largest absolute value of those pictures."""


class _Mapping(nn.Module):
    """z, psi and labels to ws. psi is an input of the graph; `Generator.mapping` takes a number."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, truncation_psi: Tensor, c: Tensor | None = None) -> Tensor:
        w_avg = self.generator.w_avg
        return w_avg + truncation_psi * (self.generator.mapping(z, c) - w_avg)  # [N, num_ws, w_dim]


class _Synthesis(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, ws: Tensor) -> Tensor:
        return self.generator.synthesis(ws)


class _Whole(_Mapping):
    def forward(self, z: Tensor, truncation_psi: Tensor, c: Tensor | None = None) -> Tensor:
        return self.generator.synthesis(super().forward(z, truncation_psi, c))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One graph."""

    module: nn.Module
    inputs: tuple[str, ...]
    output: str


@torch.no_grad()
def export(checkpoint: str | Path, dest: Path, to: ExportTarget, *, batch: int | None = None) -> Exported:
    """Write the generator of a snapshot as a graph, and compare it with the generator.

    Args:
        checkpoint: see `generation.load`.
        dest: a file with the format's ending for one graph, a folder for `mapping` and `synthesis`; not there yet.
        to: format.
        batch: samples in a batch; None: any number.

    Raises:
        CheckpointError: no snapshot, a damaged one, or a graph that cannot be written.
        ConfigError: a destination that is there already or ends wrongly, or a batch below 1.
        MissingExtraError: onnx or onnxscript is absent.
    """
    if batch is not None and batch < 1:
        raise ConfigError(f"batch: got {batch}, expected at least 1; leave it out for graphs that take any batch")
    if dest.suffix not in ("", ENDINGS[to]):
        raise ConfigError(
            f"got '{dest.name}' to write, expected a name ending in {ENDINGS[to]} for one graph, or a folder for two; "
            "rename it"
        )
    if dest.exists():
        raise ConfigError(f"'{dest}' is there already, and nothing is overwritten; choose another name")
    if to == "onnx":
        _need("onnx", "onnxscript")
    generator = load_generator(checkpoint)
    about = _about(find_snapshot(checkpoint), generator)
    write = _onnx_file if to == "onnx" else _program_file
    contents, runs = {}, []
    for path, part in _parts(generator, dest, ENDINGS[to]).items():
        example = _inputs(part, generator, batch or 2, seed=0)
        with _quiet():
            contents[path], run = write(part, example, about, is_fixed=batch is not None)
        runs.append(run)
    exported = _compared(tuple(contents), runs, generator, CHECKED_BATCHES if batch is None else (batch,))
    for path, content in contents.items():
        try:
            with atomic_file(path) as file:
                file.write(content)
        except OSError as error:
            raise CheckpointError(f"cannot write '{path}': {error.strerror or error}; choose another place") from None
    return exported


def _parts(generator: Generator, dest: Path, ending: str) -> dict[Path, _Part]:
    latents = ("z", "truncation_psi", *(("c",) if generator.c_dim else ()))
    if dest.suffix:
        return {dest: _Part(module=_Whole(generator), inputs=latents, output="images")}
    return {
        dest / f"mapping{ending}": _Part(module=_Mapping(generator), inputs=latents, output="ws"),
        dest / f"synthesis{ending}": _Part(module=_Synthesis(generator), inputs=("ws",), output="images"),
    }


def _about(folder: Path, generator: Generator) -> dict[str, str]:
    """Return what a graph says of itself, text by name."""
    document, config = read_document(folder), load_config(folder)
    shape: dict[str, Any] = {
        name: getattr(generator, name) for name in ("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution")
    }
    kept: dict[str, Any] = {
        name: document[name] for name in ("limner", "fingerprint", "source", "licence") if name in document
    }
    values = {"room": config.generator_room, "preset": config.preset, **shape, **kept}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _inputs(part: _Part, generator: Generator, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Return latents of seeds from `seed` on, psi, and labels of the classes in turn; or ws of these."""
    z = torch.cat([seed_to_z(seed + n, generator.z_dim) for n in range(batch)])  # [batch, z_dim]
    inputs = [z, torch.tensor(PSI)]
    if generator.c_dim:
        inputs.append(torch.eye(generator.c_dim)[torch.arange(batch) % generator.c_dim])  # [batch, c_dim]
    return (_Mapping(generator)(*inputs),) if part.inputs == ("ws",) else tuple(inputs)


def _shapes(example: Sequence[Tensor], axis: Any) -> tuple[Any, ...]:
    """Return `axis` as the first of every input that has samples."""
    return tuple({0: axis} if value.ndim else None for value in example)


def _trace(part: _Part, example: tuple[Tensor, ...], *, is_fixed: bool) -> torch.export.ExportedProgram:
    shapes = None if is_fixed else _shapes(example, torch.export.Dim("batch"))
    return torch.export.export(part.module, example, dynamic_shapes=shapes, strict=False)


def _program_file(
    part: _Part, example: tuple[Tensor, ...], about: Mapping[str, str], *, is_fixed: bool
) -> tuple[bytes, Run]:
    """Return a part as the content of a .pt2 file, and a function that runs that content."""
    content = io.BytesIO()
    program = _trace(part, example, is_fixed=is_fixed)
    torch.export.save(program, content, extra_files={"limner.json": json.dumps(dict(about))})
    content.seek(0)
    loaded = torch.export.load(content).module()
    return content.getvalue(), lambda inputs: loaded(*inputs)


def _onnx_file(
    part: _Part, example: tuple[Tensor, ...], about: Mapping[str, str], *, is_fixed: bool
) -> tuple[bytes, Run | None]:
    """Return a part as the content of a .onnx file, and a function that runs that content where onnxruntime is."""
    graph = torch.onnx.export(
        _trace(part, example, is_fixed=is_fixed),
        input_names=list(part.inputs),
        output_names=[part.output],
        dynamic_shapes=None if is_fixed else _shapes(example, "batch"),
        dynamo=True,
        optimize=False,  # onnxscript's optimiser drops an added 1e-8 and makes NaN of a feature map without variance
        verbose=False,
    )
    assert graph is not None
    graph.model.metadata_props.update(about)
    content: bytes = graph.model_proto.SerializeToString()
    try:
        import onnxruntime
    except ImportError:
        return content, None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Tensor]) -> Tensor:
        given = {name: value.numpy() for name, value in zip(part.inputs, inputs, strict=True)}
        return torch.from_numpy(session.run(None, given)[0])

    return content, run


def _compared(
    paths: tuple[Path, ...], runs: Sequence[Run | None], generator: Generator, batches: Sequence[int]
) -> Exported:
    """Say how much the pictures of the graphs, run one after another, differ from the generator's."""
    runnable = [run for run in runs if run is not None]
    if len(runnable) < len(runs):
        return Exported(paths=paths)
    whole = _Part(module=_Whole(generator), inputs=(), output="images")
    difference = largest = 0.0
    for batch in batches:
        inputs = _inputs(whole, generator, batch, seed=1000)
        expected, values = whole.module(*inputs), inputs
        for run in runnable:
            values = (run(values),)
        difference = max(difference, float((values[0] - expected).abs().max()))
        largest = max(largest, float(expected.abs().max()))
    return Exported(paths=paths, difference=difference, largest=largest)


def _need(*modules: str) -> None:
    """Raise `MissingExtraError` unless all these modules are installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(
                f"writing ONNX needs {module}, which is not installed; install the extra: pip install 'limner[export]'"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters say of their own parts (deprecated calls, an absent torchvision) from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
