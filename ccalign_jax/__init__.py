"""Learn, compare and ship light-weight maps between frozen multilingual text and image embeddings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ccalign_jax._version import __version__ as __version__

if TYPE_CHECKING:
    from ccalign_jax.aligners import register_aligner as register_aligner
    from ccalign_jax.checkpoints import load_aligner as load_aligner
    from ccalign_jax.data import EmbeddingSet as EmbeddingSet
    from ccalign_jax.data import load as load
    from ccalign_jax.data import open_shards as open_shards
    from ccalign_jax.evaluation.apply import apply as apply
    from ccalign_jax.evaluation.calibrate import calibrate as calibrate
    from ccalign_jax.evaluation.calibrate import read_calibration as read_calibration
    from ccalign_jax.evaluation.compare import compare as compare
    from ccalign_jax.evaluation.evaluate import evaluate as evaluate
    from ccalign_jax.evaluation.shorten import shorten as shorten
    from ccalign_jax.exporting import export as export
    from ccalign_jax.extraction import extract as extract
    from ccalign_jax.losses import register_loss as register_loss
    from ccalign_jax.metrics import register_metric as register_metric
    from ccalign_jax.pivots import register_pivot as register_pivot
    from ccalign_jax.plugins import load_plugin as load_plugin
    from ccalign_jax.study import sweep as sweep
    from ccalign_jax.study.fit import fit as fit

# Loaded when first asked for: `import ccalign_jax` costs no more than jax, and `losses` needs nothing else.
_LAZY = {
    "EmbeddingSet": "ccalign_jax.data",
    "apply": "ccalign_jax.evaluation",
    "calibrate": "ccalign_jax.evaluation",
    "compare": "ccalign_jax.evaluation",
    "evaluate": "ccalign_jax.evaluation",
    "export": "ccalign_jax.exporting",
    "extract": "ccalign_jax.extraction",
    "fit": "ccalign_jax.study",
    "load": "ccalign_jax.data",
    "load_aligner": "ccalign_jax.checkpoints",
    "load_plugin": "ccalign_jax.plugins",
    "open_shards": "ccalign_jax.data",
    "read_calibration": "ccalign_jax.evaluation",
    "register_aligner": "ccalign_jax.aligners",
    "register_loss": "ccalign_jax.losses",
    "register_metric": "ccalign_jax.metrics",
    "register_pivot": "ccalign_jax.pivots",
    "shorten": "ccalign_jax.evaluation",
    "sweep": "ccalign_jax.study",
}
_MODULES = (
    "aligners", "calibration", "checkpoints", "cli", "compression", "data", "descriptions", "diagnostics",
    "encoders", "evaluation", "exporting", "extraction", "files", "grids", "learned_map", "losses", "manifests",
    "measurement", "metrics", "migration", "numerics", "options", "pivots", "plugins", "precision", "processes",
    "query_adapters", "reporting", "runs", "scenes", "search", "seed_maps", "settings", "solvers", "statistics",
    "study", "threads", "tiles", "training", "wit",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"ccalign_jax.{name}")
    raise AttributeError(f"module 'ccalign_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY, *_MODULES])
