"""What aligners, pivots, losses, directions and scorings are called wherever people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccalign_jax._names import CLOSED
from ccalign_jax.reporting.format import Summary, find

Family = Mapping[str, Any]

ALIGNERS = {
    "identity": "identity",
    "shift": "shift x + b",
    "diagonal": "scale per feature",
    "linear": "linear W (unconstrained)",
    "residual": "residual W = I + ΔW",
    "low_rank": "low-rank W = I + UV'",
    "orthogonal": "orthogonal W",
    "mlp": "MLP",
    "residual_mlp": "residual MLP",
    "gated_mlp": "gated MLP",
    "fourier": "random Fourier features",
    "nystroem": "Nyström features",
    "conditional": "residual W, low rank per language",
    "film": "residual W, FiLM per language",
    "mixture": "mixture of residual maps",
    "centring": "centring",
    "ridge": "ridge regression",
    "pooled_ridge": "ridge, languages partly pooled",
    "procrustes": "Procrustes",
    "scaled_procrustes": "scaled Procrustes",
    "centred_ridge": "ridge, both sides centred",
    "multi_step": "multi-step orthogonal map",
    "cca": "CCA",
    "csa": "CSA",
    "gcca": "GCCA-MAXVAR",
    "generalised_procrustes": "generalised Procrustes",
}
PIVOTS = {
    "image": "image pivot",
    "text": "text pivot ({})",
    "centroid": "centroid pivot",
    "auxiliary": "text pivot ({}) with images",
    "symmetric": "symmetric",
    "consensus": "consensus pivot",
    "gcca": "GCCA pivot",
    "teacher": "teacher pivot ({})",
}
PIVOT_WORDS = {
    "image": "captions move towards their images",
    "text": "captions move towards their caption in that language",
    "centroid": "captions move towards the mean of the other languages",
    "auxiliary": "captions move towards that language and their images",
    "symmetric": "captions and images move towards each other",
    "consensus": "captions and images move towards their Procrustes consensus",
    "gcca": "captions and images move into their common GCCA space",
    "teacher": "captions move towards another encoder's captions",
}
LOSSES = {
    "infonce": "InfoNCE",
    "supcon_in": "SupCon (in)",
    "supcon_out": "SupCon (out)",
    "sigmoid": "sigmoid",
    "triplet": "triplet",
    "rcsls": "RCSLS",
    "alignment_uniformity": "alignment and uniformity",
    "structure": "structure",
    "mse": "MSE",
    "cosine": "cosine",
    "gram": "Gram matching",
    CLOSED: "closed form",
}
DIRECTION_WORDS = {"t2i": "text to image", "i2t": "image to text"}
TASK_WORDS = {**DIRECTION_WORDS, "t2t": "text to text"}
SCORINGS = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "csls": "CSLS",
    "inverted_softmax": "inverted softmax",
    "nnn": "nearest-neighbour normalisation",
}


def scoring_name(summary: Summary, scoring: str) -> str:
    """The name of a scoring; one whose bank is the test set says so.

    Example:
        >>> scoring_name({"scores": {"bank": {"transductive": True}}}, "csls")
        'CSLS (transductive)'
    """
    transductive = scoring != "cosine" and find(summary, "scores", "bank", "transductive")
    return SCORINGS.get(scoring, scoring) + (" (transductive)" if transductive else "")


def aligner_name(aligner: str) -> str:
    """The name of an aligner or a combination; one that is not listed keeps its own.

    Example:
        >>> aligner_name("residual"), aligner_name("dual(per_language(linear),shift)")
        ('residual W = I + ΔW', 'linear W (unconstrained) per language, images: shift x + b')
    """
    outer, bracket, inside = aligner.removesuffix(")").partition("(")
    if bracket and outer == "per_language":
        return f"{aligner_name(inside)} per language"
    if bracket and outer == "dual":
        text, comma, image = inside.partition(",")
        return f"{aligner_name(text)}, images: {aligner_name(image)}" if comma else f"dual {aligner_name(text)}"
    return ALIGNERS.get(aligner, aligner)


def pivot_name(pivot: str) -> str:
    """The name of a pivot, such as `text pivot (en)`."""
    kind, _, language = pivot.partition(":")
    return PIVOTS[kind].format(language) if kind in PIVOTS else pivot


def pivot_words(pivot: str) -> str:
    """The name of a pivot and what it means, to begin a sentence with.

    Example:
        >>> pivot_words("image")
        'The image pivot (captions move towards their images)'
    """
    name, meaning = pivot_name(pivot), PIVOT_WORDS.get(pivot.partition(":")[0], "")
    noun = name if "pivot" in name else f"{name} pivot"
    return f"The {noun}" + (f" ({meaning})" if meaning else "")


def loss_name(loss: str) -> str:
    """The name of a loss."""
    return LOSSES.get(loss, loss)


def key_words(key: str) -> str:
    """The words for `PIVOT/ALIGNER/LOSS`, such as `linear W, image pivot, MSE`, or for `identity, SCORING`.

    Example:
        >>> key_words("image/shift/mse"), key_words("identity, csls")
        ('shift x + b, image pivot, MSE', 'identity, CSLS')
    """
    pivot, slash, rest = key.partition("/")
    aligner, _, loss = rest.rpartition("/")
    if slash:
        return f"{aligner_name(aligner)}, {pivot_name(pivot)}, {loss_name(loss)}"
    return ", ".join(SCORINGS.get(part, part) for part in key.split(", "))
