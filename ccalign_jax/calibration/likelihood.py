"""Parameters of largest likelihood, for calibrations with a few of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

__all__ = ["maximise"]


def maximise(
    likelihood: Callable[[np.ndarray], tuple[float, np.ndarray]], start: Float[np.ndarray, " p"], least: Sequence[float]
) -> Float[np.ndarray, " p"]:
    """The parameters of the largest mean log likelihood, which is concave, each at least as large as `least` says.

    Args:
        likelihood: its value and gradient.
        start: where the search begins.
        least: of each parameter.
    """
    from scipy.optimize import minimize

    def negative(values: np.ndarray) -> tuple[float, np.ndarray]:
        level, gradient = likelihood(values)
        return -level, -gradient

    bounds = [(low, None) for low in least]
    # A method without BLAS: the threads of two copies of it, NumPy's and SciPy's, wait for each other.
    settings = {"ftol": 1e-14, "gtol": 1e-8, "maxfun": 500}
    return minimize(negative, start, jac=True, bounds=bounds, method="TNC", options=settings).x
