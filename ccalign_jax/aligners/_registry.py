"""Aligners by name: `residual`, `per_language(residual)`, `dual(per_language(linear))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ccalign_jax.aligners._base import Aligner
from ccalign_jax.aligners._combine import dual, per_language
from ccalign_jax.aligners._linear import identity, linear, residual
from ccalign_jax.aligners._mlp import residual_mlp
from ccalign_jax.errors import InputError

__all__ = ["ALIGNERS", "COMBINATORS", "AlignerEntry", "canonical_name", "make_aligner", "split_name"]


class AlignerEntry(NamedTuple):
    """A named aligner: `make(d_text, d_out, hidden)`, one line of what it is, and the settings it alone reads."""

    make: Callable[[int, int, int], Aligner]
    summary: str
    reads: frozenset[str] = frozenset()


ALIGNERS: dict[str, AlignerEntry] = {
    "identity": AlignerEntry(lambda d_text, d_out, hidden: identity(d_text, d_out), "x, untouched: always reported"),
    "linear": AlignerEntry(
        lambda d_text, d_out, hidden: linear(d_text, d_out),
        "xW, unconstrained, random at first",
        frozenset({"ortho"}),
    ),
    "residual": AlignerEntry(
        lambda d_text, d_out, hidden: residual(d_text, d_out),
        "x(E + D), identity at first",
        frozenset({"ortho"}),
    ),
    "residual_mlp": AlignerEntry(
        lambda d_text, d_out, hidden: residual_mlp(d_text, d_out, hidden=hidden),
        "xE + GELU(xW1 + b1)W2 + b2, identity at first",
        frozenset({"hidden", "dropout"}),
    ),
}

COMBINATORS: dict[str, str] = {
    "per_language": "per_language(A): a map A for each language",
    "dual": "dual(A): A on captions and a second A on images; dual alone is dual(residual)",
}


def split_name(name: str) -> tuple[tuple[str, ...], str]:
    """The combinators, outermost first, and the aligner inside: `dual(per_language(linear))`.

    `dual` comes out before `per_language`, whichever way they were written.

    Raises:
        InputError: unknown or unbalanced names, or a combination that means nothing.

    Example:
        >>> split_name("per_language(dual(linear))")
        (('dual', 'per_language'), 'linear')
    """
    rest, outer = name.strip(), []
    while True:
        head, bracket, tail = rest.partition("(")
        if not bracket:
            break
        if head not in COMBINATORS or not tail.endswith(")"):
            raise InputError(f"aligner {name!r}: write {' or '.join(f'{known}(A)' for known in COMBINATORS)}")
        outer.append(head)
        rest = tail[:-1].strip()
    if rest == "dual":
        outer, rest = [*outer, "dual"], "residual"
    if rest in COMBINATORS or (outer and not rest):
        empty = rest or outer[-1]
        raise InputError(f"aligner {name!r}: {empty} needs an aligner inside, such as {empty}(residual)")
    if rest not in ALIGNERS:
        raise InputError(
            f"unknown aligner {name!r}; there are {', '.join([*ALIGNERS, *COMBINATORS])} (--aligners=list)"
        )
    if len(set(outer)) < len(outer):
        raise InputError(f"aligner {name!r}: {' and '.join(COMBINATORS)} go in once each")
    if outer and rest == "identity":
        raise InputError(f"aligner {name!r}: identity has no parameters, so it is the same for every language and side")
    return tuple(sorted(outer)), rest


def canonical_name(name: str) -> str:
    """The one spelling of an aligner's name.

    Example:
        >>> canonical_name("dual")
        'dual(residual)'
    """
    outer, inner = split_name(name)
    return "(".join([*outer, inner]) + ")" * len(outer)


def make_aligner(name: str, d_text: int, d_image: int, *, languages: int, hidden: int = 512) -> Aligner:
    """The aligner of this name.

    Args:
        name: as in `ALIGNERS` and `COMBINATORS`.
        d_text: width of caption rows.
        d_image: width of image rows, and of the space that the aligner maps into.
        languages: how many languages `per_language` makes maps for.
        hidden: width of the hidden layer of MLPs.

    Raises:
        InputError: an unknown name.

    Example:
        >>> import jax
        >>> make_aligner("dual(per_language(residual))", 4, 3, languages=2).trains_image
        True
    """
    outer, inner = split_name(name)
    make = ALIGNERS[inner].make
    aligner = make(d_text, d_image, hidden)
    if "per_language" in outer:
        aligner = per_language(aligner, languages)
    if "dual" in outer:
        aligner = dual(aligner, make(d_image, d_image, hidden))
    return aligner
