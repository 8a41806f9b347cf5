"""Registry of aligners by name, and the sizes that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

import ccalign_jax.aligners as aligners  # whose functions are loaded when first called: names and summaries need no jax
from ccalign_jax._entries import check_entry

if TYPE_CHECKING:
    from ccalign_jax.aligners._base import Aligner

__all__ = ["ALIGNERS", "COMBINATORS", "AlignerEntry", "Sizes", "register_aligner"]


class Sizes(NamedTuple):
    """Sizes of an aligner beside its two widths; each aligner reads those it needs.

    Attributes:
        languages: of the data.
        hidden: width of the hidden layer of MLPs.
        rank: of low-rank parts.
        features: of kernel maps: random features (even), or landmarks.
        experts: of mixtures.
    """

    languages: int
    hidden: int = 512
    rank: int = 32
    features: int = 1024
    experts: int = 4


READABLE = (*Sizes._fields[1:], "dropout", "ortho")  # settings that not every aligner reads


class AlignerEntry(NamedTuple):
    """A named aligner.

    Attributes:
        make: `make(d_text, d_out, sizes)`.
        summary: one line of what it is.
        reads: the settings that not every aligner reads: sizes, dropout, and ortho, for a matrix W that may be
            anything but orthogonal.
        by_language: whether it has parts for each language already, so that `per_language` would add nothing,
            and images, which have no language, have no use for it.
        closed: whether it is solved from moments (`solvers`), not trained by a loss.
        two_sided: whether it maps images too, without `dual`.
        fitted: whether parameters are fitted, beside the means of both sides.
        unseen_languages: whether it maps languages that were not in training.
        mlp: `plain` for the layers `expand` and `contract` with a GELU between, `residual` where x is added; else None.
    """

    make: Callable[[int, int, Sizes], Aligner]
    summary: str
    reads: frozenset[str] = frozenset()
    by_language: bool = False
    closed: bool = False
    two_sided: bool = False
    fitted: bool = True
    unseen_languages: bool = True
    mlp: Literal["plain", "residual"] | None = None


def _solved(summary: str, *reads: str) -> AlignerEntry:
    """A closed form that maps captions alone."""
    return AlignerEntry(
        lambda d_text, d_out, sizes: aligners.affine(d_text, d_out), summary, frozenset(reads), closed=True
    )


def _solved_on_both_sides(summary: str, *reads: str) -> AlignerEntry:
    def make(d_text: int, d_out: int, sizes: Sizes) -> Aligner:
        # The space has the width of the images.
        return aligners.dual(aligners.affine(d_text, d_out), aligners.affine(d_out, d_out))

    return AlignerEntry(make, summary, frozenset(reads), closed=True, two_sided=True)


ALIGNERS: dict[str, AlignerEntry] = {
    "identity": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.identity(d_text, d_out),
        "x, untouched: always reported",
    ),
    "shift": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.shift(d_text, d_out),
        "x + b, identity at first",
    ),
    "diagonal": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.diagonal(d_text, d_out),
        "x times a scale for each feature, identity at first",
        frozenset({"ortho"}),
    ),
    "linear": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.linear(d_text, d_out),
        "xW, unconstrained, random at first",
        frozenset({"ortho"}),
    ),
    "residual": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.residual(d_text, d_out),
        "x(E + D), identity at first",
        frozenset({"ortho"}),
    ),
    "low_rank": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.low_rank(d_text, d_out, rank=sizes.rank),
        "x(E + UV'), identity at first",
        frozenset({"rank", "ortho"}),
    ),
    "orthogonal": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.orthogonal(d_text, d_out),
        "xW with orthonormal columns or rows (Cayley), identity at first",
    ),
    "mlp": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.mlp(d_text, d_out, hidden=sizes.hidden),
        "GELU(xW1 + b1)W2 + b2, random at first",
        frozenset({"hidden", "dropout"}),
        mlp="plain",
    ),
    "residual_mlp": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.residual_mlp(d_text, d_out, hidden=sizes.hidden),
        "xE + GELU(xW1 + b1)W2 + b2, identity at first",
        frozenset({"hidden", "dropout"}),
        mlp="residual",
    ),
    "gated_mlp": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.gated_mlp(d_text, d_out, hidden=sizes.hidden),
        "xE + (SiLU(xW1) * xW2)W3, identity at first",
        frozenset({"hidden", "dropout"}),
    ),
    "fourier": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.fourier(d_text, d_out, features=sizes.features),
        "xE + f(x)A on random Fourier features, identity at first",
        frozenset({"features"}),
    ),
    "nystroem": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.nystroem(d_text, d_out, features=sizes.features),
        "xE + f(x)A on kernel features of random captions, identity at first",
        frozenset({"features"}),
    ),
    # Without ortho: it would move the part of a language that has no caption in training.
    "conditional": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.conditional(d_text, d_out, sizes.languages, rank=sizes.rank),
        "x(E + D + UV'), U and V for each language, identity at first",
        frozenset({"rank"}),
        by_language=True,
    ),
    "film": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.film(d_text, d_out, sizes.languages),
        "x(E + D), then a scale and a shift for each language, identity at first",
        by_language=True,
    ),
    "mixture": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.mixture(d_text, d_out, experts=sizes.experts),
        "x(E + D) of several D, weighted by a gate on x, identity at first",
        frozenset({"experts"}),
    ),
    # Closed forms.
    "centring": _solved_on_both_sides("each side less its training mean: no parameter is fitted")._replace(
        fitted=False
    ),
    "ridge": _solved("xW by ridge regression to identity (to 0 where that is at chance); its penalty from a path"),
    "pooled_ridge": AlignerEntry(
        lambda d_text, d_out, sizes: aligners.per_language(aligners.affine(d_text, d_out), sizes.languages),
        "ridge with a shared D and a part for each language, partially pooled",
        by_language=True,
        closed=True,
        unseen_languages=False,
    ),
    "procrustes": _solved("xQ, the best orthogonal Q"),
    "scaled_procrustes": _solved("(x - m)sQ + c, the best orthogonal Q, scale and shift"),
    "centred_ridge": _solved_on_both_sides(
        "each side less its mean, then ridge as above: images move by their mean alone"
    ),
    "multi_step": _solved_on_both_sides("both sides whitened, rotated, reweighted and dewhitened", "penalty"),
    "cca": _solved_on_both_sides("regularised canonical correlation analysis", "penalty"),
    "csa": _solved_on_both_sides("CCA, its directions weighted by a power of their correlation", "penalty"),
    "gcca": _solved_on_both_sides("GCCA-MAXVAR over all languages and the images", "penalty"),
    "generalised_procrustes": _solved_on_both_sides("all languages and the images rotated to their consensus"),
}

COMBINATORS: dict[str, str] = {
    "per_language": "per_language(A): a map A for each language",
    "dual": "dual(A,B): A on captions and B on images; dual(A) is dual(A,A), dual alone dual(residual)",
}


def register_aligner(
    name: str,
    make: Callable[[int, int, Sizes], Aligner],
    *,
    summary: str,
    reads: Iterable[str] = (),
    by_language: bool = False,
) -> None:
    """Register an aligner under a name that scripts, grids, reports and checkpoints then accept.

    It is trained, and maps captions; `dual(NAME)` and `per_language(NAME)` come by themselves. Its maps are loaded
    where the module that defines `make` is loaded first (see `load_plugin`): checkpoints name that module.

    Args:
        name: letters, digits, `_`, `-` and `.`.
        make: `make(d_text, d_out, sizes) -> Aligner`, for caption rows `[m, d_text]` and a space of width `d_out`, that
            of the images. It must not do any work before it is called.
        summary: one line of what it is, for `--aligners=list`.
        reads: which of `hidden`, `rank`, `features` and `experts` (of `sizes`), `dropout` and `ortho` change it; no
            others are crossed in a grid.
        by_language: whether it has parts for each language already, so that `per_language` would add nothing.

    Raises:
        InputError: an ill-formed or taken name, or a setting that aligners do not read.

    Example:
        >>> from ccalign_jax.aligners import make_aligner, residual
        >>> register_aligner("doc.plain", lambda d_text, d_out, sizes: residual(d_text, d_out), summary="x(E + D)")
        >>> make_aligner("dual(doc.plain)", 4, 3, languages=2).trains_image
        True
        >>> del ALIGNERS["doc.plain"]
    """
    check_entry("aligner", name, make, summary, taken=(*ALIGNERS, *COMBINATORS), reads=reads, readable=READABLE)
    ALIGNERS[name] = AlignerEntry(make, summary, frozenset(reads), by_language)
