"""Files in the formats of other programs, written by Python's own pickle and by torch, with none of their code.

Where a pickle must name a class of NVIDIA's, a class of that name is set up for the moment of writing. It does nothing.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MODULES = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util", "dnnlib.tflib", "dnnlib.tflib.network")
SOURCE = "raise SystemExit('source code of a checkpoint was run')"
BUFFERS = ("w_avg", "noise_const", "resample_filter", "p")


class Module:
    """A module of NVIDIA's persistence: pickled as a call with one dict."""

    def __init__(self, class_name: str, **kwargs: Any) -> None:
        self.class_name, self.kwargs = class_name, kwargs
        self.parameters: dict[str, nn.Parameter] = OrderedDict()
        self.buffers: dict[str, Tensor] = OrderedDict()
        self.modules: dict[str, Module] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "_init_args": (),
            "_init_kwargs": sys.modules["dnnlib.util"].EasyDict(self.kwargs),
            "training": False,
            "_parameters": self.parameters,
            "_buffers": self.buffers,
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": OrderedDict(),
            "_modules": self.modules,
            "img_resolution_log2": np.int64(5),
        }
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": self.class_name, "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


@contextmanager
def nvidia_names() -> Iterator[None]:
    """Have modules with the names of NVIDIA's classes while entered."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
        raise AssertionError("a name in a pickle was called")

    kept = {name: sys.modules.get(name) for name in MODULES}
    try:
        for name in MODULES:
            sys.modules[name] = types.ModuleType(name)
        _name(sys.modules["torch_utils.persistence"], _reconstruct_persistent_obj)
        _name(sys.modules["dnnlib.util"], type("EasyDict", (dict,), {}))
        _name(sys.modules["dnnlib.tflib.network"], type("Network", (), {}))
        yield
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _name(module: types.ModuleType, thing: Any) -> None:
    thing.__module__, thing.__qualname__ = module.__name__, thing.__name__
    setattr(module, thing.__name__, thing)


def persistent(class_name: str, tensors: Mapping[str, Tensor], **kwargs: Any) -> Module:
    """A tree of modules with these tensors by dotted name."""
    root = Module(class_name, **kwargs)
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        module = root
        for part in path:
            module = module.modules.setdefault(part, Module("Part"))
        if leaf in BUFFERS:
            module.buffers[leaf] = tensor
        else:
            module.parameters[leaf] = nn.Parameter(tensor)
    return root


def write_persistent(path: Path, networks: Mapping[str, Any], protocol: int = 4) -> Path:
    """A .pkl of NVIDIA's PyTorch programs."""
    with nvidia_names():
        content = {"training_set_kwargs": sys.modules["dnnlib.util"].EasyDict(path="x", resolution=32), **networks}
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def tensorflow_network(name: str, variables: Mapping[str, np.ndarray], version: int = 4, **kwargs: Any) -> Any:
    """A network of NVIDIA's TensorFlow programs; variables below `mapping/` and `synthesis/` go to components.

    Call while `nvidia_names` is entered.
    """
    network = sys.modules["dnnlib.tflib.network"].Network()
    parts = {part: {} for part in ("mapping", "synthesis") if any(n.startswith(f"{part}/") for n in variables)}
    own = {}
    for key, value in variables.items():
        part, _, rest = key.partition("/")
        parts.get(part, own)[rest if part in parts else key] = value
    network.__dict__ = {
        "version": version,
        "name": name,
        "static_kwargs": sys.modules["dnnlib.util"].EasyDict(kwargs),
        "components": {part: tensorflow_network(part, held, version, **kwargs) for part, held in parts.items()},
        "build_module_src": SOURCE,
        "build_func_name": f"{name}_main",
        "variables": [(key, value if value.ndim else value[()]) for key, value in own.items()],
    }
    return network


def write_tensorflow(
    path: Path, networks: Mapping[str, Mapping[str, np.ndarray]], protocol: int = 4, version: int = 4, **kwargs: Any
) -> Path:
    """A .pkl of NVIDIA's TensorFlow programs: a tuple of networks."""
    with nvidia_names():
        made = tuple(tensorflow_network(name, held, version, **kwargs) for name, held in networks.items())
        path.write_bytes(pickle.dumps(made, protocol=protocol))
    return path


def write_torch(path: Path, content: Any, *, legacy: bool = False) -> Path:
    """A file of torch.save, in the format since 1.6 or the one before."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
