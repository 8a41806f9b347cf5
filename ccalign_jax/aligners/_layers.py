"""The form of a learned map outside of this package: affine layers, with a GELU between those of an MLP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from ccalign_jax.aligners._base import Aligner, Params
from ccalign_jax.aligners._names import parse_name
from ccalign_jax.aligners._registry import ALIGNERS

__all__ = ["Layer", "caption_layers", "image_layers"]

PROBES = 256  # random rows on which a map must equal its affine form
TOLERANCE = 1e-9  # relative, in float64


class Layer(NamedTuple):
    """Affine map x ↦ xW + b, then GELU where `gelu` says so.

    Attributes:
        weight: W `[d_in, d_out]` float64.
        bias: b `[d_out]` float64.
        gelu: whether the exact GELU follows.
    """

    weight: Float[np.ndarray, "d_in d_out"]
    bias: Float[np.ndarray, " d_out"]
    gelu: bool = False

    def __call__(self, rows: Float[np.ndarray, "m d_in"]) -> Float[np.ndarray, "m d_out"]:
        """Rows `[m, d_in]` through the layer, in float64.

        Example:
            >>> Layer(np.array([[2.0]]), np.array([1.0]))(np.array([[3.0]])).tolist()
            [[7.0]]
        """
        from scipy.special import erf

        mapped = rows @ self.weight + self.bias
        return 0.5 * mapped * (1.0 + erf(mapped / np.sqrt(2.0))) if self.gelu else mapped


def caption_layers(
    name: str, aligner: Aligner, params: Params, *, d_text: int, language: int
) -> tuple[Layer, ...] | None:
    """Layers that map unit caption rows of one language, of the length that `aligner.text` gives them.

    An affine map is one layer, an MLP by its registry entry is two; None for any other map. The residual of an
    MLP runs through its hidden layer, as GELU(z) − GELU(−z) = z.

    Args:
        name: of the aligner.
        aligner, params: the map.
        d_text: width of caption rows.
        language: its number, or -1 for one that was not in training.

    Example:
        >>> from ccalign_jax.aligners import residual
        >>> params = {"delta": np.array([[0.0, 1.0], [0.0, 0.0]])}
        >>> (layer,) = caption_layers("residual", residual(2, 2), params, d_text=2, language=0)
        >>> layer.weight.tolist(), layer.bias.tolist()
        ([[1.0, 1.0], [0.0, 1.0]], [0.0, 0.0])
    """
    parsed = parse_name(name)
    own = params if parsed.image is None else params["text"]
    if parsed.per_language:
        own = jax.tree.map(lambda leaf: leaf[language], own)
    return _layers(parsed.text, own, lambda rows: aligner.text(params, rows, language), params, d_text)


def image_layers(name: str, aligner: Aligner, params: Params, *, d_image: int) -> tuple[Layer, ...] | None:
    """Layers that map unit image rows, as `caption_layers`; the identity where the map leaves images as they are."""
    parsed = parse_name(name)
    own = None if parsed.image is None else params["image"]
    return _layers(parsed.image or "identity", own, lambda rows: aligner.image(params, rows), params, d_image)


def _layers(
    name: str, own: Params, function: Callable[[Any], Any], params: Params, width: int
) -> tuple[Layer, ...] | None:
    if (kind := ALIGNERS[name].mlp) is not None:
        return _mlp_layers(own, residual=kind == "residual")
    form = _affine_form(function, params, width)
    return None if form is None else (form,)


def _mlp_layers(params: Params, *, residual: bool) -> tuple[Layer, ...]:
    expand, contract = (
        Layer(np.asarray(params[side]["kernel"], np.float64), np.asarray(params[side]["bias"], np.float64))
        for side in ("expand", "contract")
    )
    weight, bias, out = expand.weight, expand.bias, contract.weight
    if residual:
        same = np.eye(len(weight))
        kept = np.eye(len(weight), out.shape[1])
        weight = np.concatenate([weight, same, -same], axis=1)
        bias = np.concatenate([bias, np.zeros(2 * len(same))])
        out = np.concatenate([out, kept, -kept])
    return Layer(weight, bias, gelu=True), Layer(out, contract.bias)


def _affine_form(function: Callable[[Any], Any], params: Params, width: int) -> Layer | None:
    """The affine map that a function of rows is, or None: evaluated in float64 and compared on other rows."""
    probes = np.random.default_rng(0).standard_normal((PROBES, width))
    # A kernel is next to nothing on random rows, but not on its own landmarks.
    own = [np.reshape(leaf, (-1, width))[:PROBES] for leaf in jax.tree.leaves(params) if leaf.shape[-1:] == (width,)]
    probes = np.concatenate([probes / np.sqrt(width), *own])
    with jax.enable_x64(True):
        mapped = np.asarray(jax.jit(function)(np.concatenate([np.zeros((1, width)), np.eye(width), probes])))
    bias, at_axes, mapped = mapped[:1], mapped[1 : width + 1], mapped[width + 1 :]
    layer = Layer(at_axes - bias, bias[0])
    difference = np.abs(mapped - layer(probes)).max()
    return layer if difference <= TOLERANCE * max(1.0, float(np.abs(mapped).max())) else None
