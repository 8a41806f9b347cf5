"""The built-in grids: plain data, each with one line of what it is."""

from __future__ import annotations

from typing import Any

__all__ = ["GRIDS", "Block"]

Block = dict[str, Any]

SEED_RECIPE: Block = {
    "epochs": 20,
    "steps_per_epoch": 12,
    "batch_images": 32,
    "learning_rate": 1e-3,
    "l2": 5e-4,
    "temperature": 0.07,
    "warmup": 120,
    "prox": 1e-3,
    "ortho": 0.0,
    "clip": 1.0,
}
# The seed study's "linear" is W = I + D: our residual.
SEED_LINEAR: list[Block] = [
    {"learning_rate": 3e-3, "temperature": 0.1},
    {"learning_rate": 3e-3, "temperature": 0.09, "warmup": 90, "ortho": 1e-4},
    {"learning_rate": 3e-3, "l2": 3e-4, "temperature": 0.12, "warmup": 90, "prox": 0.0, "clip": 0.0},
    {"l2": 7e-4, "temperature": 0.1, "warmup": 150, "prox": 3e-3, "epochs": 16, "steps_per_epoch": 10},
    {},
    {"learning_rate": 3e-4, "temperature": 0.1, "epochs": 24},
]

# A grid is a list of blocks, and the lists in a block are crossed. A block may say for which pivots, aligners
# and losses it is; one that names no aligner is for those that no other block names, and so with losses.
GRIDS: dict[str, tuple[str, list[Block]]] = {
    "default": (
        "a small search of learning rate and temperature for each aligner",
        [
            {"aligners": ["linear"], "learning_rate": [3e-3, 3e-2], "temperature": [0.03, 0.07]},
            {"aligners": ["residual"], "learning_rate": [1e-3, 3e-4], "temperature": [0.01, 0.03, 0.07]},
            {"learning_rate": [1e-3, 3e-4], "temperature": [0.01, 0.07]},
        ],
    ),
    "quick": (
        "one setting for each aligner: a quick look",
        [
            {"aligners": ["linear"], "learning_rate": 3e-2, "temperature": 0.07},
            {"learning_rate": 3e-4, "temperature": 0.03},
        ],
    ),
    "seed_recipe": ("the seed study's best recipe", [SEED_RECIPE]),
    "seed": (
        "the seed study's whole grid: six residual (its linear) trials, four MLPs",
        [
            *({**SEED_RECIPE, **changes, "aligners": ["residual"]} for changes in SEED_LINEAR),
            {**SEED_RECIPE, "aligners": ["residual_mlp"], "hidden": [512, 1024, 2048], "dropout": 0.0},
            {**SEED_RECIPE, "aligners": ["residual_mlp"], "hidden": 1024, "dropout": 0.1},
            SEED_RECIPE,
        ],
    ),
    "full": (
        "every aligner under InfoNCE, every loss at residual, every closed form; one setting each",
        [
            {"aligners": ["linear"], "learning_rate": 3e-2, "temperature": 0.07},
            {"losses": ["sigmoid"], "learning_rate": 1e-3, "temperature": 0.1},
            {"learning_rate": 1e-3, "temperature": 0.03},
        ],
    ),
}
