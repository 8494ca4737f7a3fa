"""Who may import whom: the table of the design, checked line by line.

| layer | modules | may import |
|---|---|---|
| 0 | errors, registry, config, runtime, images | third parties; each other in that order |
| 1 | ops, features, data | layer 0 |
| 2 | losses | layer 0, ops |
| 3 | papers.base, then papers.<room> (never another room) | layers 0-2 |
| 4 | latents, checkpoints | layers 0-3 |
| 5 | metrics, inversion, editing | layers 0-4 |
| 6 | training (only callbacks/evaluate touches metrics) | layers 0-5 |
| 7 | api | layers 0-6 |
| 8 | cli, studio | api, config, registry, errors; not torch |

Siblings of a layer never import each other, and above layer 3 a room is reached through the registry alone.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import limner

FOUNDATIONS = ("errors", "registry", "config", "runtime", "images")
LAYERS = {
    **dict.fromkeys(FOUNDATIONS, 0),
    **dict.fromkeys(("ops", "features", "data"), 1),
    "losses": 2,
    "papers": 3,
    **dict.fromkeys(("latents", "checkpoints"), 4),
    **dict.fromkeys(("metrics", "inversion", "editing"), 5),
    "training": 6,
    "api": 7,
    **dict.fromkeys(("cli", "studio"), 8),
    "__main__": 9,
}
OPEN_TO_FACES = ("api", "config", "registry", "errors")
LAZY_NAMES = {"load": "limner.api", "presets": "limner.api", "Generator": "limner.papers.base"}
"""Names of the top package -> where they live."""
NAMELESS = ("utils", "helpers", "common")
LATE = {
    *("av", "dlib", "fastapi", "huggingface_hub", "matplotlib", "multipart", "onnx", "onnxruntime", "onnxscript"),
    *("pyspng", "scipy", "simplejpeg", "sklearn", "tensorboard", "torch.utils.tensorboard", "uvicorn"),
}
"""Optional dependencies and heavy ones: imported inside the function that needs them."""


def imports(tree: ast.AST, modules: set[str]) -> Iterator[tuple[int, str, bool]]:
    """Yield (line, absolute module, whether it runs when the module is imported) of every import."""
    lazy = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_type_checking(scope)
        for node in ast.walk(scope)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = "." * node.level + (node.module or "")
                longer = f"{name}.{alias.name}"
                if longer in modules or longer in LATE:
                    name = longer
                elif name == "limner":
                    name = LAZY_NAMES.get(alias.name, longer)
                yield node.lineno, name, id(node) not in lazy


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def unit(module: str) -> str:
    """Return the part of the package that `module` belongs to: `ops`, `papers.base`, `papers.stylegan2`, ..."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts and parts[0] == "papers" else ".".join(parts[:1])


def objection(importer: str, imported: str) -> str | None:
    """Return why module `importer` may not import module `imported` of the package; None when it may."""
    a, b = unit(importer), unit(imported)
    top_a, top_b = a.partition(".")[0], b.partition(".")[0]
    if top_b not in LAYERS:
        return "is in no layer of the table"
    room_a, room_b = (name.startswith("papers.") and name != "papers.base" for name in (a, b))
    if a == b:
        return None
    if room_b:
        if room_a:
            return "is another room"
        return "is a room, reached through the registry alone"
    if room_a and b in ("papers", "papers.base"):
        return None
    if top_a in FOUNDATIONS and top_b in FOUNDATIONS:
        return None if FOUNDATIONS.index(top_b) < FOUNDATIONS.index(top_a) else "comes later in layer 0"
    if LAYERS[top_b] >= LAYERS[top_a]:
        return f"is in layer {LAYERS[top_b]}, not below layer {LAYERS[top_a]}"
    if top_a == "losses" and LAYERS[top_b] == 1 and top_b != "ops":
        return "is not for losses, which import layer 0 and ops"
    if top_a in ("cli", "studio") and top_b not in OPEN_TO_FACES:
        return f"is not for {top_a}, which imports {', '.join(OPEN_TO_FACES)}"
    if top_a == "training" and top_b == "metrics" and not importer.startswith("limner.training.callbacks.evaluate"):
        return "is for callbacks/evaluate alone"
    return None


def violations(sources: dict[str, str]) -> list[str]:
    """Return `file:line: sentence` for every import in `sources` (path below src -> text) that breaks a rule."""
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in sources}
    found = []
    for module, path in modules.items():
        top = unit(module).partition(".")[0]
        if module != "limner" and top not in LAYERS:
            found.append(f"{path}:1: {module} is in no layer of the table")
            continue
        if Path(path).stem in NAMELESS:
            found.append(f"{path}:1: {module} is named after nothing; name it by what it holds")
        tree = ast.parse(sources[path], path)
        for line, name, at_import in imports(tree, set(modules)):
            place = f"{path}:{line}: {module} imports {name}, which"
            if name.startswith("."):
                found.append(f"{place} is relative; write it in full")
            elif at_import and any(name == late or name.startswith(f"{late}.") for late in LATE):
                found.append(f"{place} is optional or heavy; import it inside the function that needs it")
            elif top in ("cli", "studio") and name.partition(".")[0] == "torch":
                found.append(f"{place} is not for {top}")
            elif name.partition(".")[0] == "limner" and name != "limner.__version__" and module != "limner":
                reason = objection(module, name)
                if reason:
                    found.append(f"{place} {reason}")
        found += [f"{path}:{line}: {sentence}" for line, sentence in unsafe_reads(tree)]
    return found


def unsafe_reads(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, sentence) of every call that could execute code from a file."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        settings = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called == "torch.load" and settings.get("weights_only") != "True":
            yield node.lineno, "torch.load without weights_only=True can execute what a file carries"
        if called in ("pickle.load", "pickle.loads") or settings.get("allow_pickle") == "True":
            yield node.lineno, f"{called} of a pickle can execute what a file carries"


def test_no_import_breaks_the_table() -> None:
    root = Path(limner.__file__).parent
    sources = {
        file.relative_to(root.parent).as_posix(): file.read_text(encoding="utf-8") for file in root.rglob("*.py")
    }
    assert len(sources) > 20
    assert not violations(sources), "\n".join(["", *violations(sources)])


TREE = {
    "limner/__init__.py": "from limner.api import load\n",
    "limner/errors.py": "",
    "limner/runtime.py": "from limner import __version__\nfrom limner.errors import A\n",
    "limner/images.py": "import numpy\nfrom limner import runtime\n",
    "limner/ops/__init__.py": "",
    "limner/ops/conv.py": "import torch\nfrom limner.ops import linear\n",
    "limner/ops/linear.py": "",
    "limner/losses/r1.py": "from limner.ops.conv import A\n",
    "limner/papers/__init__.py": "",
    "limner/papers/base.py": "from limner.errors import A\n",
    "limner/papers/one/__init__.py": "from limner.papers import base\nfrom limner.papers.one.nets import A\n",
    "limner/papers/one/nets.py": "from limner.papers.base import A\nfrom limner.losses.r1 import B\n",
    "limner/papers/two/__init__.py": "",
    "limner/latents.py": "from limner.papers.base import A\n",
    "limner/checkpoints/io.py": "from limner import registry\n",
    "limner/registry.py": "",
    "limner/metrics/fid.py": "def f():\n    import scipy.linalg\n",
    "limner/training/callbacks/evaluate.py": "from limner.metrics.fid import f\n",
    "limner/api/__init__.py": "from limner.training.callbacks import evaluate\n",
    "limner/cli/train.py": "from limner import api\nfrom limner.cli import app\nfrom limner import __version__\n",
    "limner/cli/app.py": "import limner.registry\n",
    "limner/__main__.py": "from limner.cli import app\n",
}
"""A small package that keeps every rule."""


def test_the_checker_is_content_with_a_package_that_keeps_the_rules() -> None:
    assert violations(TREE) == []


@pytest.mark.parametrize(
    ("path", "line", "sentence"),
    [
        ("limner/errors.py", "from limner.registry import A", "comes later in layer 0"),
        ("limner/runtime.py", "def f():\n    from limner import images", "comes later in layer 0"),
        ("limner/images.py", "import limner.ops.conv", "is in layer 1, not below layer 0"),
        ("limner/ops/conv.py", "from limner.data.loader import A", "is in layer 1, not below layer 1"),
        ("limner/ops/conv.py", "from . import linear", "is relative; write it in full"),
        ("limner/ops/conv.py", "from ..errors import A", "is relative"),
        ("limner/losses/r1.py", "from limner.data import A", "is not for losses"),
        ("limner/papers/base.py", "from limner.papers.one import A", "is a room, reached through the registry"),
        ("limner/papers/one/nets.py", "from limner.papers.two import A", "is another room"),
        ("limner/papers/one/nets.py", "from limner.papers import two", "is another room"),
        ("limner/papers/one/nets.py", "from limner.latents import A", "is in layer 4, not below layer 3"),
        ("limner/latents.py", "from limner.checkpoints import io", "is in layer 4, not below layer 4"),
        ("limner/checkpoints/io.py", "from limner.papers.one.nets import A", "is a room, reached through the registry"),
        ("limner/metrics/fid.py", "from limner.editing import A", "is in layer 5, not below layer 5"),
        ("limner/metrics/fid.py", "import scipy.linalg", "is optional or heavy"),
        ("limner/metrics/fid.py", "try:\n    import av\nexcept ImportError:\n    av = None", "is optional or heavy"),
        ("limner/metrics/fid.py", "from torch.utils import tensorboard", "is optional or heavy"),
        ("limner/metrics/fid.py", "from torch.utils.tensorboard import SummaryWriter", "is optional or heavy"),
        ("limner/metrics/fid.py", "class A:\n    import matplotlib.pyplot", "is optional or heavy"),
        ("limner/training/loop.py", "from limner.metrics import fid", "is for callbacks/evaluate alone"),
        ("limner/api/__init__.py", "from limner.cli.app import A", "is in layer 8, not below layer 7"),
        ("limner/api/__init__.py", "import limner.papers.one", "is a room, reached through the registry"),
        ("limner/cli/train.py", "from limner import images", "is not for cli, which imports api, config"),
        ("limner/cli/train.py", "def f():\n    import torch.nn", "is not for cli"),
        ("limner/cli/train.py", "from limner.studio import A", "is in layer 8, not below layer 8"),
        ("limner/cli/train.py", "from limner import Generator", "is not for cli"),
        ("limner/cli/train.py", "if TYPE_CHECKING:\n    from limner.latents import A", "is not for cli"),
        ("limner/cli/train.py", "import limner", "is in no layer of the table"),
        ("limner/utils.py", "", "is in no layer of the table"),
        ("limner/ops/helpers.py", "", "is named after nothing"),
        ("limner/ops/conv.py", "from limner.utils import A", "is in no layer of the table"),
        ("limner/latents.py", "torch.load(path)", "without weights_only=True"),
        ("limner/latents.py", "torch.load(path, weights_only=False)", "without weights_only=True"),
        ("limner/latents.py", "pickle.loads(data)", "can execute what a file carries"),
        ("limner/latents.py", "np.load(path, allow_pickle=True)", "can execute what a file carries"),
    ],
)
def test_the_checker_names_the_line_that_breaks_a_rule(path: str, line: str, sentence: str) -> None:
    before = TREE.get(path, "")
    found = violations({**TREE, path: before + line + "\n"})
    assert len(found) == 1, found
    assert sentence in found[0]
    first = len(before.splitlines()) + 1
    offending = range(first, max(first, first + len(line.splitlines()) - 1) + 1)
    assert any(found[0].startswith(f"{path}:{number}: ") for number in offending)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("limner/ops/conv.py", "if TYPE_CHECKING:\n    import matplotlib.figure"),
        ("limner/metrics/fid.py", "def f():\n    try:\n        import av\n    except ImportError:\n        raise"),
        ("limner/latents.py", "torch.load(path, weights_only=True)"),
        ("limner/data/base.py", "import torch\nimport numpy as np\nfrom limner.errors import DataError"),
    ],
)
def test_the_checker_lets_late_and_lower_imports_be(path: str, line: str) -> None:
    assert violations({**TREE, path: TREE.get(path, "") + line + "\n"}) == []


def test_importing_the_command_line_imports_no_torch() -> None:
    code = """
import importlib, pkgutil, sys
import limner.cli
for module in pkgutil.walk_packages(limner.cli.__path__, "limner.cli."):
    importlib.import_module(module.name)
print("torch" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
