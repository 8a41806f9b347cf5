"""Parse aligner names, such as `dual(per_language(linear),shift)`, and build their aligners."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import ccalign_jax.aligners as aligners
from ccalign_jax.aligners._registry import ALIGNERS, COMBINATORS, Sizes
from ccalign_jax.errors import InputError, suggest

if TYPE_CHECKING:
    from ccalign_jax.aligners._base import Aligner

__all__ = [
    "AlignerName",
    "canonical_name",
    "list_names",
    "make_aligner",
    "parse_name",
    "registered_by",
    "settings_read",
    "split_name",
]

MAX_BRACKETS = 8  # a valid name has at most three
MAX_SHOWN = 60  # characters of a refused name


class AlignerName(NamedTuple):
    """Parsed name of an aligner; `str` gives its canonical spelling.

    Attributes:
        text: the aligner of captions, a key of `ALIGNERS`.
        image: that of images, or None: they stay as they are.
        per_language: whether each language has an aligner of captions of its own.
    """

    text: str
    image: str | None = None
    per_language: bool = False

    def __str__(self) -> str:
        text = f"per_language({self.text})" if self.per_language else self.text
        if self.image is None:
            return text
        return f"dual({text})" if self.image == self.text else f"dual({text},{self.image})"


def parse_name(name: str) -> AlignerName:
    """Parse the name of an aligner; spaces around its parts do not matter.

    Raises:
        InputError: an unknown or unbalanced name, or a combination that means nothing or has a simpler name.

    Example:
        >>> parse_name("per_language(dual(linear, shift))")
        AlignerName(text='linear', image='shift', per_language=True)
    """
    if name.count("(") > MAX_BRACKETS:
        raise _refusal(f"{name[:MAX_SHOWN]}…", "per_language and dual go in once each")
    head, bracket, tail = name.strip().partition("(")
    if not bracket and head in ALIGNERS:
        return AlignerName(head)
    if not bracket and head == "dual":
        return AlignerName("residual", "residual")
    if not bracket and head not in COMBINATORS:
        raise InputError(f"unknown aligner {name!r}; {suggest(name, [*ALIGNERS, *COMBINATORS])} (--aligners=list)")
    if bracket and (head not in COMBINATORS or not tail.endswith(")")):
        raise _refusal(name, "write per_language(A), dual(A) or dual(A,B)")
    inside = tail[:-1].strip()
    if not inside:
        raise _refusal(name, f"{head} needs an aligner inside, such as {head}(residual)")
    parts = [parse_name(part) for part in list_names(inside)]
    return _dual_name(name, *parts) if head == "dual" else _per_language_name(name, *parts)


def _per_language_name(name: str, inner: AlignerName, *more: AlignerName) -> AlignerName:
    if more:
        raise _refusal(name, "per_language takes one aligner; write per_language(A)")
    if inner.per_language:
        raise _refusal(name, "per_language and dual go in once each")
    if inner.text == "identity":
        raise _refusal(name, "identity has no parameters, so it is the same for every language and side")
    if ALIGNERS[inner.text].closed:
        raise _refusal(name, f"{inner.text} is a closed form, which stands alone; write {inner.text}")
    if ALIGNERS[inner.text].by_language:
        raise _refusal(name, f"{inner.text} has a part for each language already; write {inner}")
    return inner._replace(per_language=True)


def _dual_name(name: str, text: AlignerName, *images: AlignerName) -> AlignerName:
    if len(images) > 1:
        raise _refusal(name, "there are two sides; write dual(A,B), A for captions and B for images")
    # Images have no language: beside parts for each language stands the map that those share.
    own = "residual" if ALIGNERS[text.text].by_language else text.text
    image = images[0] if images else AlignerName(own)
    if text.image is not None or image.image is not None:
        raise _refusal(name, "per_language and dual go in once each")
    for side in (text.text, image.text):
        if ALIGNERS[side].closed:
            raise _refusal(name, f"{side} is a closed form, which stands alone; write {side}")
    if image.text == "identity" and text.text == "identity":
        raise _refusal(name, "identity has no parameters, so it is the same for every language and side")
    if image.text == "identity":
        raise _refusal(name, f"identity leaves the images as they are; write {text}")
    if image.per_language or ALIGNERS[image.text].by_language:
        plain = "residual" if ALIGNERS[image.text].by_language else image.text
        raise _refusal(name, f"images have no language; write {text._replace(image=plain)}")
    return text._replace(image=image.text)


def _refusal(name: str, reason: str) -> InputError:
    return InputError(f"aligner {name!r}: {reason}")


def list_names(names: str) -> list[str]:
    """The names of a comma list; a comma inside brackets stands between the sides of a `dual`.

    Example:
        >>> list_names("linear,dual(linear,shift)")
        ['linear', 'dual(linear,shift)']
    """
    parts, depth = [""], 0
    for letter in names:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def canonical_name(name: str) -> str:
    """Canonical spelling of an aligner's name.

    Raises:
        InputError: as `parse_name`.

    Example:
        >>> canonical_name("dual"), canonical_name("per_language(dual(linear, shift))")
        ('dual(residual)', 'dual(per_language(linear),shift)')
    """
    return str(parse_name(name))


def split_name(name: str) -> tuple[tuple[str, ...], str]:
    """The combinators, outermost first, and the aligner of captions inside.

    Raises:
        InputError: as `parse_name`.

    Example:
        >>> split_name("per_language(dual(linear))")
        (('dual', 'per_language'), 'linear')
    """
    parsed = parse_name(name)
    outer = ("dual",) * (parsed.image is not None) + ("per_language",) * parsed.per_language
    return outer, parsed.text


def registered_by(name: str) -> list[str]:
    """Modules outside this package that define the aligners of this name; load them before its maps.

    Raises:
        InputError: as `parse_name`.

    Example:
        >>> registered_by("dual(linear,shift)")
        []
    """
    parsed = parse_name(name)
    makers = [ALIGNERS[side].make for side in (parsed.text, parsed.image) if side is not None]
    functions = [make.func if isinstance(make, partial) else make for make in makers]
    modules = dict.fromkeys(getattr(function, "__module__", None) for function in functions)
    return [module for module in modules if module not in (None, "__main__") and not module.startswith("ccalign_jax.")]


def settings_read(name: str) -> frozenset[str]:
    """The settings that an aligner of this name reads, on either side (see `AlignerEntry.reads`).

    Raises:
        InputError: as `parse_name`.

    Example:
        >>> sorted(settings_read("dual(low_rank,mixture)"))
        ['experts', 'ortho', 'rank']
    """
    parsed = parse_name(name)
    return ALIGNERS[parsed.text].reads | (frozenset() if parsed.image is None else ALIGNERS[parsed.image].reads)


def maps_unseen_languages(name: str) -> bool:
    """Whether an aligner of this name maps languages that were not in training.

    Raises:
        InputError: as `parse_name`.

    Example:
        >>> [maps_unseen_languages(name) for name in ("residual", "conditional", "per_language(residual)")]
        [True, True, False]
    """
    parsed = parse_name(name)
    return ALIGNERS[parsed.text].unseen_languages and not parsed.per_language


def make_aligner(
    name: str,
    d_text: int,
    d_image: int,
    *,
    languages: int,
    hidden: int = 512,
    rank: int = 32,
    features: int = 1024,
    experts: int = 4,
) -> Aligner:
    """The aligner of this name.

    Args:
        name: as in `ALIGNERS` and `COMBINATORS`.
        d_text: width of caption rows.
        d_image: width of image rows, and of the space that the aligner maps into.
        languages: how many languages have maps or parts of their own, where the aligner has such.
        hidden, rank, features, experts: see `Sizes`; each aligner reads those it needs.

    Raises:
        InputError: an unknown name, or a size that the aligner cannot have.

    Example:
        >>> import jax
        >>> make_aligner("dual(per_language(residual))", 4, 3, languages=2).trains_image
        True
    """
    parsed = parse_name(name)
    sizes = Sizes(languages, hidden, rank, features, experts)
    text_side = ALIGNERS[parsed.text].make(d_text, d_image, sizes)
    if parsed.per_language:
        text_side = aligners.per_language(text_side, languages)
    if parsed.image is None:
        return text_side
    return aligners.dual(text_side, ALIGNERS[parsed.image].make(d_image, d_image, sizes))
