"""Results of a sweep as they come, a line each: R@1 both ways, and the change against identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from ccalign_jax.reporting.names import LOSSES, aligner_name, pivot_name
from ccalign_jax.reporting.wording import plain, signed

__all__ = ["Preview"]

WIDTH = 44


class Preview:
    """Prints the mean over folds of each result that it is called with; changes are against the first.

    Example:
        >>> preview = Preview()
        >>> preview("identity", [{way: {"R@1": 0.5} for way in ("t2i", "i2t", "both")}])
        R@1 t2i .500, i2t .500                       identity
        >>> preview("image/residual/infonce", [{way: {"R@1": 0.625} for way in ("t2i", "i2t", "both")}])
        R@1 t2i .625, i2t .625, mean of both +.125   residual W = I + ΔW, image pivot, InfoNCE
    """

    def __init__(self) -> None:
        self.base: float | None = None

    def __call__(self, name: str, folds: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        """Print a line.

        Args:
            name: of a baseline, or PIVOT/ALIGNER/LOSS.
            folds: metrics of each.
        """
        t2i, i2t, both = (mean(fold[way]["R@1"] for fold in folds) for way in ("t2i", "i2t", "both"))
        said = f"R@1 t2i {plain(t2i)}, i2t {plain(i2t)}"
        if self.base is None:
            self.base = both
        else:
            said += f", mean of both {signed(both - self.base)}"
        print(f"{said:<{WIDTH}} {_in_words(name)}", flush=True)


def _in_words(name: str) -> str:
    pivot, _, rest = name.partition("/")
    if not rest:
        return name.replace("_", " ")
    aligner, _, loss = rest.rpartition("/")
    return f"{aligner_name(aligner)}, {pivot_name(pivot)}, {LOSSES.get(loss, loss)}"
