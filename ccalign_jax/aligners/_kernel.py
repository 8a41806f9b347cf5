"""Kernel maps: identity plus a function in the space of a Gaussian kernel, on random features or on landmarks.

k(x, z) = exp(−‖x − z‖² / 2σ²). The features φ, with φ(x)·φ(z) ≈ k(x, z), are set once, before the first step; the
readout is trained. Weight decay on it is then the norm of kernel ridge regression.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.aligners._base import Aligner, Params, keep_rows
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import resize_rows, unit_rows

__all__ = ["fourier", "fourier_features", "gaussian_kernel", "median_distance", "nystroem"]

BANDWIDTH_ROWS = 256  # 32,640 distances, whose median is known well within a per cent

EXACT = jax.lax.Precision.HIGHEST  # small distances are differences of large numbers


def fourier(d_text: int, d_out: int, *, features: int = 1024) -> Aligner:
    """Kernel map x ↦ xE + φ(x)A on random Fourier features, exactly the identity at first (A = 0).

    φ(x) = √(2/F) (cos xΩ/σ, sin xΩ/σ), Ω standard normal and never trained; σ = 1, or by `adapt` the median
    distance between captions. F · d_out trained parameters (A), d_text · F/2 + 1 frozen ones;
    F · (d_text/2 + d_out) multiply-adds a row.

    Args:
        features: F, even: half cosines, half sines.

    Raises:
        InputError: `features` is odd.

    References:
        Rahimi & Recht, Random Features for Large-Scale Kernel Machines, NIPS 2007

    Example:
        >>> params = fourier(3, 2, features=8).init(jax.random.key(0))
        >>> params["frequencies"].shape, params["readout"].shape
        ((3, 4), (8, 2))
    """
    if features % 2:
        raise InputError(f"features={features}: fourier takes an even number, half cosines and half sines")

    def init(key: jax.Array) -> Params:
        return {
            "bandwidth": jnp.ones(()),
            "frequencies": jax.random.normal(key, (d_text, features // 2)),
            "readout": jnp.zeros((features, d_out)),
        }

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return resize_rows(text, d_out) + fourier_features(params, text) @ params["readout"]

    def adapt(params: Params, text, text_mask, image, image_mask, key):
        return {**params, "bandwidth": median_distance(*_draw_rows(key, text, text_mask, BANDWIDTH_ROWS))}

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=lambda params: params["readout"],
        frozen=frozenset({"bandwidth", "frequencies"}),
        adapt=adapt,
    )


def nystroem(d_text: int, d_out: int, *, features: int = 1024) -> Aligner:
    """Kernel map x ↦ xE + φ(x)A on Nyström features, exactly the identity at first (A = 0).

    φ(x) = k(x, Z) K^(−1/2), K = k(Z, Z), with F landmarks Z that are never trained: by `adapt` random captions, σ the
    median distance between captions; without it random unit rows, σ = 1. K^(−1/2) is taken on the eigenvectors that
    stand out of rounding, so that equal captions, or fewer captions than F, do no harm. F · d_out trained parameters
    (A), F · (d_text + F) + 1 frozen ones; F · (d_text + d_out) multiply-adds a row, and F² · d_out a step.

    Args:
        features: F, the number of landmarks, > 0.

    References:
        Williams & Seeger, Using the Nyström Method to Speed Up Kernel Machines, NIPS 2000 (published 2001)

    Example:
        >>> params = nystroem(3, 2, features=8).init(jax.random.key(0))
        >>> params["landmarks"].shape, params["inverse_root"].shape, params["readout"].shape
        ((8, 3), (8, 8), (8, 2))
    """

    def place(landmarks: Array, mask: Array, bandwidth: Array) -> Params:
        kernel = jnp.where(mask[:, None] & mask, gaussian_kernel(landmarks, landmarks, bandwidth), 0.0)
        return {"bandwidth": bandwidth, "landmarks": landmarks, "inverse_root": _inverse_root(kernel)}

    def init(key: jax.Array) -> Params:
        landmarks = unit_rows(jax.random.normal(key, (features, d_text)))
        return {**place(landmarks, jnp.ones(features, bool), jnp.ones(())), "readout": jnp.zeros((features, d_out))}

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        inverse_root, kernel = _landmark_kernel(params, text)
        # In this order a step multiplies F × F × d_out once, instead of F × F for every row.
        return resize_rows(text, d_out) + kernel @ (inverse_root @ params["readout"])

    def adapt(params: Params, text, text_mask, image, image_mask, key):
        bandwidth_key, landmark_key = jax.random.split(key)
        bandwidth = median_distance(*_draw_rows(bandwidth_key, text, text_mask, BANDWIDTH_ROWS))
        return {**params, **place(*_draw_rows(landmark_key, text, text_mask, features), bandwidth)}

    return Aligner(
        init=init,
        text=text,
        image=keep_rows,
        deviation=lambda params: params["readout"],
        frozen=frozenset({"bandwidth", "landmarks", "inverse_root"}),
        adapt=adapt,
    )


def fourier_features(params: Params, rows: Float[Array, "m d"]) -> Float[Array, "m features"]:
    """φ(x) of `fourier`: φ(x)·φ(z) is k(x, z) on average over Ω, and φ(x)·φ(x) = 1."""
    frequencies, bandwidth = jax.lax.stop_gradient((params["frequencies"], params["bandwidth"]))
    angles = rows @ frequencies / bandwidth
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1) / jnp.sqrt(frequencies.shape[-1])


def gaussian_kernel(
    rows: Float[Array, "m d"], others: Float[Array, "n d"], bandwidth: Float[Array, ""] | float
) -> Float[Array, "m n"]:
    """exp(−‖x − z‖² / 2σ²) of every row x with every other row z.

    Example:
        >>> round(float(gaussian_kernel(jnp.zeros((1, 2)), jnp.ones((1, 2)), 1.0)[0, 0]), 4)
        0.3679
    """
    return jnp.exp(-_square_distances(rows, others) / (2 * jnp.square(bandwidth)))


def median_distance(rows: Float[Array, "m d"], mask: Bool[Array, " m"]) -> Float[Array, ""]:
    """Median distance between two rows of the mask, the usual bandwidth of a Gaussian kernel.

    It is 1 where fewer than two rows are in the mask, or the median is 0.

    References:
        Garreau, Jitkrittum & Kanagawa, Large Sample Analysis of the Median Heuristic, 2017,
        https://arxiv.org/abs/1707.07269

    Example:
        >>> float(median_distance(jnp.array([[0.0], [3.0], [9.0], [50.0]]), jnp.array([True, True, True, False])))
        6.0
    """
    if len(rows) < 2:
        return jnp.ones(())
    first, second = jnp.triu_indices(len(rows), 1)
    pairs = mask[first] & mask[second]
    distances = jnp.sqrt(jnp.sort(jnp.where(pairs, _square_distances(rows, rows)[first, second], jnp.inf)))
    count = jnp.sum(pairs)
    middle = jnp.stack([jnp.maximum(count - 1, 0) // 2, count // 2])
    median = jnp.mean(distances.at[middle].get(mode="fill", fill_value=jnp.inf))
    return jnp.where((median > 0) & jnp.isfinite(median), median, 1.0)


def _square_distances(rows: Float[Array, "m d"], others: Float[Array, "n d"]) -> Float[Array, "m n"]:
    products = jnp.matmul(rows, others.T, precision=EXACT)
    return jnp.maximum(jnp.sum(jnp.square(rows), -1)[:, None] + jnp.sum(jnp.square(others), -1) - 2 * products, 0.0)


def _landmark_kernel(params: Params, rows: Float[Array, "m d"]) -> tuple[Array, Array]:
    """The frozen K^(−1/2), and k(x, Z)."""
    frozen = jax.lax.stop_gradient({key: params[key] for key in ("bandwidth", "landmarks", "inverse_root")})
    return frozen["inverse_root"], gaussian_kernel(rows, frozen["landmarks"], frozen["bandwidth"])


def _inverse_root(kernel: Float[Array, "f f"]) -> Float[Array, "f f"]:
    """K^(−1/2) on the eigenvectors whose eigenvalue is more than rounding, 0 on the others."""
    values, vectors = jnp.linalg.eigh(kernel)
    rounding = len(kernel) * jnp.finfo(kernel.dtype).eps * values[-1]
    stands_out = values > rounding
    roots = jnp.where(stands_out, 1.0 / jnp.sqrt(jnp.where(stands_out, values, 1.0)), 0.0)
    return jnp.matmul(vectors * roots, vectors.T, precision=EXACT)


def _draw_rows(
    key: Array, text: Float[Array, "languages m d"], mask: Bool[Array, "languages m"], count: int
) -> tuple[Float[Array, "count d"], Bool[Array, " count"]]:
    """`count` different rows of the mask at random, and which of them there are: all, unless it has fewer."""
    rows, mask = (
        jnp.asarray(text).reshape(-1, text.shape[-1]),
        jnp.asarray(mask).reshape(-1),
    )  # NumPy takes no traced index
    ranked = jnp.where(mask, jax.random.uniform(key, mask.shape), -1.0)
    chosen = jnp.argsort(ranked, descending=True)[:count]
    missing = count - len(chosen)
    return jnp.pad(rows[chosen], [(0, missing), (0, 0)]), jnp.pad(mask[chosen], (0, missing))
