"""Imports follow one order, and light packages import no heavy libraries."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import ccalign_jax

PACKAGE = Path(ccalign_jax.__file__).parent
# Each module may import those before it. A new one needs a place here: as low as what it imports allows.
ORDER = (
    "_version",
    "_names",
    "_deferred",
    "errors",
    "_libraries",
    "files",
    "manifests",
    "scenes",
    "_entries",
    "plugins",
    "grids",
    "settings",
    "options",
    "processes",
    "numerics",
    "precision",
    "threads",
    "tiles",
    "losses",
    "aligners",
    "solvers",
    "pivots",
    "metrics",
    "statistics",
    "calibration",
    "compression",
    "diagnostics",
    "training",
    "data",
    "encoders",
    "learned_map",
    "descriptions",
    "checkpoints",
    "seed_maps",
    "exporting",
    "measurement",
    "runs",
    "extraction",
    "reporting",
    "study",
    "evaluation",
    "migration",
    "query_adapters",
    "search",
    "wit",
    "cli",
)
HEAVY = (
    "torch",
    "transformers",
    "orbax",
    "flax",
    "matplotlib",
    "absl",
    "tensorflow",
    "sklearn",
    "grain",
    "safetensors",
    "PIL",
    "pyarrow",
    "pandas",
    "polars",
    "datasets",
    "tensorboard",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The full name of every module or member imported anywhere in the file, lazily too, and its line."""
    parents = ["ccalign_jax", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            yield from ((str(name.value), node.lineno) for name in node.args[:1] if isinstance(name, ast.Constant))


def test_every_module_has_a_place():
    modules = {module_of(path) for path in FILES} - {"__init__"}
    assert modules <= set(ORDER), f"give {modules - set(ORDER)} a place in ORDER"


@pytest.mark.parametrize(
    "path", [path for path in FILES if module_of(path) != "__init__"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_down(path):
    here = ORDER.index(module_of(path))
    for name, line in imports(path):
        assert name.split(".")[0] != "experiments", f"{path}:{line}: the package must not import experiments"
        if not name.startswith("ccalign_jax"):
            continue
        there = name.partition(".")[2].partition(".")[0]
        if there == "__version__":
            continue
        assert there in ORDER, f"{path}:{line}: import {name} names no module; import from the module itself"
        assert ORDER.index(there) <= here, f"{path}:{line}: {ORDER[here]} must not import {there}"


def test_losses_know_nothing_but_numerics_and_tiles():
    known = {
        name.split(".")[1]
        for path in (PACKAGE / "losses").glob("*.py")
        for name, _ in imports(path)
        if name.startswith("ccalign_jax.")
    }
    assert known <= {"losses", "numerics", "tiles", "errors", "_deferred", "_entries"}
    outside = {name.split(".")[0] for path in (PACKAGE / "losses").glob("*.py") for name, _ in imports(path)}
    assert outside <= {
        "__future__",
        "typing",
        "collections",
        "functools",
        "math",
        "jax",
        "jaxtyping",
        "optax",
        "ccalign_jax",
    }


def test_statistics_know_numpy_and_scipy_alone():
    known = {name.split(".")[0] for path in (PACKAGE / "statistics").glob("*.py") for name, _ in imports(path)}
    assert known <= {"__future__", "typing", "collections", "numpy", "scipy", "jaxtyping", "ccalign_jax"}
    modules = {name for path in (PACKAGE / "statistics").glob("*.py") for name, _ in imports(path)}
    assert all(name.startswith("ccalign_jax.statistics") for name in modules if name.startswith("ccalign_jax"))


def test_training_knows_no_data_format():
    for path in (PACKAGE / "training").rglob("*.py"):
        assert not [
            name for name, _ in imports(path) if name.startswith(("ccalign_jax.data", "ccalign_jax.checkpoints"))
        ]


@pytest.mark.parametrize(
    ("module", "owners"),
    [("orbax", {"checkpoints"}), ("absl", {"cli"}), ("transformers", {"encoders"}), ("grain", {"data"})],
)
def test_one_module_alone_imports(module, owners):
    """Only checkpoints import orbax, and flags belong to the command line."""
    found = {module_of(path) for path in FILES for name, _ in imports(path) if name.split(".")[0] == module}
    assert found <= owners


def test_heavy_libraries_are_imported_when_first_needed():
    for path in FILES:
        heavy = {*HEAVY} - ({"absl"} if module_of(path) == "cli" else set())
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # not what stands inside functions
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & heavy, f"{path}:{node.lineno}"


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the code."""
    code += "\nimport sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_root_is_no_more_than_its_version():
    loaded = loaded_by("import ccalign_jax; ccalign_jax.__version__; dir(ccalign_jax)")
    assert not loaded & {*HEAVY, "optax", "jax", "numpy"}


@pytest.mark.parametrize(
    "code",
    [
        "from ccalign_jax.losses import clip_loss",
        "from jax.numpy import eye; from ccalign_jax import losses; losses.clip_loss(eye(2), eye(2), temperature=1.0)",
        "import ccalign_jax.metrics; from ccalign_jax import aligners, pivots; dir(aligners); dir(pivots)",
    ],
)
def test_losses_and_aligners_need_jax_alone(code):
    loaded = loaded_by(code)
    assert "jax" in loaded and not loaded & set(HEAVY)


@pytest.mark.parametrize(
    "names",
    [
        "from ccalign_jax.aligners import ALIGNERS, COMBINATORS, list_names",
        "from ccalign_jax.losses import LOSSES",
        "from ccalign_jax.pivots import PIVOTS",
        "from ccalign_jax.grids import GRIDS",
        "from ccalign_jax.settings import SETTINGS",
        "from ccalign_jax.options import AlignConfig, SweepConfig",
    ],
)
def test_names_and_summaries_need_no_jax(names):
    assert not loaded_by(names) & {*HEAVY, "jax", "jaxlib", "jaxtyping", "numpy", "optax"}


@pytest.mark.parametrize("package", ["aligners", "losses", "pivots"])
def test_a_deferred_package_offers_all_that_it_promises(package):
    module = import_module(f"ccalign_jax.{package}")
    names = set(dir(module))
    assert names >= {"aligners": {"ALIGNERS", "residual"}, "losses": {"LOSSES", "clip_loss"}}.get(package, {"PIVOTS"})
    assert all(getattr(module, name) is not None for name in names)
    namespace: dict[str, object] = {}
    exec(f"from ccalign_jax.{package} import *", namespace)
    assert names == set(namespace) - {"__builtins__"}
    with pytest.raises(AttributeError, match=f"'ccalign_jax.{package}' has no attribute 'nothing'"):
        _ = module.nothing


def test_statistics_need_neither_jax_nor_scipy_to_start():
    assert not loaded_by("import ccalign_jax.statistics") & {*HEAVY, "jax", "scipy"}


def test_every_module_is_reached_from_the_root():
    private = {"__init__", "_deferred", "_entries", "_libraries", "_names", "_version", "errors"}
    assert set(ccalign_jax._MODULES) == {module_of(path) for path in FILES} - private <= set(dir(ccalign_jax))


def test_lazy_names_are_those_promised():
    """Every name of the root resolves, by its module."""
    for name, module in ccalign_jax._LAZY.items():
        assert module.split(".")[1] in ORDER
        if (PACKAGE / module.split(".")[1]).exists() or (PACKAGE / f"{module.split('.')[1]}.py").exists():
            assert name in dir(ccalign_jax)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ccalign_jax.nothing
