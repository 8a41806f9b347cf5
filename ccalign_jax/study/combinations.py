"""Families from names: pivots × aligners × losses, and why a combination is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ccalign_jax._names import CLOSED
from ccalign_jax.aligners import ALIGNERS, canonical_name, maps_unseen_languages, split_name
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, Pivot, make_pivot
from ccalign_jax.study.closed import closed_why_not
from ccalign_jax.training import Space

__all__ = ["CLOSED", "DEFAULT_ALIGNERS", "UNINFORMED_ALIGNERS", "families", "left_out_notes", "why_not"]

DEFAULT_ALIGNERS = ("linear", "residual", "residual_mlp")
# That do not build on the identity.
UNINFORMED_ALIGNERS = ("linear", "ridge", "centred_ridge", "cca", "csa", "multi_step")
FEW = 3


def families(
    pivots: Sequence[str],
    aligners: Sequence[str] | None,
    losses: Sequence[str],
    space: Space,
    *,
    full: bool,
    heldout: str | None,
    named: Sequence[str] = (),
    informed: bool = True,
) -> Iterator[tuple[Pivot, str, str]]:
    """Pivot, aligner and loss of every family asked for; closed forms have no loss to choose.

    Without aligners those of the grid are taken, `named`, beside the default ones. Unless the identity is `informed`
    these are `UNINFORMED_ALIGNERS`, and beside the pivot `image` there is `symmetric`, which some of them need.
    """
    compared: set[bool] = set()
    if not informed and aligners is None and not full and "image" in pivots:
        pivots = list(dict.fromkeys([*pivots, "symmetric"]))
    for pivot in _pivots(pivots, space.languages, heldout):
        if full and aligners is None:
            for aligner in _aligners(["all"], pivot, heldout):
                yield pivot, aligner, "infonce"
            # The losses at one pivot of each kind: with the images frozen, and with them moving.
            residual = canonical_name("dual(residual)" if pivot.moves_images else "residual")
            for loss in LOSSES if pivot.moves_images not in compared else ():
                if loss != "infonce":
                    yield pivot, residual, loss
            compared.add(pivot.moves_images)
            for aligner in _aligners(["closed"], pivot, heldout):
                if not closed_why_not(aligner, pivot):
                    yield pivot, aligner, CLOSED
            continue
        for aligner in _aligners(aligners, pivot, heldout, named, informed):
            closed = ALIGNERS[split_name(aligner)[1]].closed
            for loss in (CLOSED,) if closed else dict.fromkeys(losses):
                yield pivot, aligner, loss


def _pivots(names: Sequence[str], languages: tuple[str, ...], heldout: str | None) -> list[Pivot]:
    every = list(names)
    if "all" in every:
        seen = [language for language in languages if language != heldout]
        hub = "en" if "en" in seen else seen[0]
        every = [f"{name}:{hub}" if entry.takes_language else name for name, entry in PIVOTS.items()]
    return [make_pivot(name, languages) for name in dict.fromkeys(every)]


def _aligners(
    names: Sequence[str] | None,
    pivot: Pivot,
    heldout: str | None,
    named: Sequence[str] = (),
    informed: bool = True,
) -> list[str]:
    """Canonical names; those that stand for several fit the pivot."""
    apart = pivot.language is not None and heldout is None  # a language that is held out has no map of its own
    own = "dual({})" if pivot.moves_images else "per_language({})" if apart else "{}"
    if names is None:
        # Within the texts the identity is that of one encoder, whatever the images are.
        defaults = DEFAULT_ALIGNERS if informed or pivot.within_text else UNINFORMED_ALIGNERS
        names = [own.format(name) for name in defaults if not ALIGNERS[name].closed]
        names += [name for name in defaults if ALIGNERS[name].closed and not closed_why_not(name, pivot)]
        others = [name for name in named if name not in DEFAULT_ALIGNERS]
        alone = [name in ALIGNERS and not ALIGNERS[name].closed for name in others]
        names += [
            f"dual({name})" if pivot.moves_images and one else name for name, one in zip(others, alone, strict=True)
        ]
    found: list[str] = []
    for name in names:
        if name == "all":
            wrap = "dual({})" if pivot.moves_images else "{}"
            trained = [each for each, entry in ALIGNERS.items() if not entry.closed and each != "identity"]
            found += [wrap.format(each) for each in trained]
            found += ["per_language(residual)"] * (not pivot.moves_images)
        elif name == "closed":
            fitting = [each for each, entry in ALIGNERS.items() if entry.closed]
            found += [each for each in fitting if ALIGNERS[each].two_sided == pivot.moves_images]
        else:
            found.append(name)
    return [name for name in dict.fromkeys(canonical_name(name) for name in found) if name != "identity"]


def why_not(pivot: Pivot, aligner: str, loss: str, space: Space, *, heldout: str | None = None) -> str | None:
    """Why this combination makes no sense, in one line; None if it does."""
    outer, inner = split_name(aligner)
    entry, closed = ALIGNERS[inner], loss == CLOSED
    if heldout is not None and pivot.language == heldout:
        return f"pivot {pivot.name} aligns to the language that is held out; choose another"
    if heldout is not None and not maps_unseen_languages(aligner):
        return f"{aligner} has no map for {heldout}, which is held out; use residual or conditional"
    if entry.closed != closed:
        return f"{aligner} is {'solved, not trained' if entry.closed else 'trained, not solved'}; leave {loss} out"
    two_sided = entry.two_sided or "dual" in outer
    if pivot.moves_images and not two_sided:
        other = "cca or multi_step" if closed else f"dual({aligner})"
        return f"pivot {pivot.name} moves the images too, {aligner} does not; use {other}"
    if not pivot.moves_images and two_sided:
        return f"pivot {pivot.name} leaves the images frozen, {aligner} has a map for them; use --pivot=symmetric"
    if closed and (reason := closed_why_not(inner, pivot)):
        return reason
    if pivot.moves_images and pivot.consensus is None and not closed and not LOSSES[loss].has_negatives:
        return f"{loss} pushes nothing apart, so that with both sides free all rows collapse into one; use infonce"
    if pivot.within_text and space.d_text != space.d_image:
        return (
            f"pivot {pivot.name} aligns within the text space [{space.d_text}], which is not that of the images "
            f"[{space.d_image}]; use image or symmetric"
        )
    seen = [language for language in space.languages if language != heldout]
    if pivot.within_text and len(seen) < 2:
        return f"pivot {pivot.name} needs a second language to train on, there is {seen[0]} alone"
    return None


def left_out_notes(skipped: Sequence[str]) -> list[str]:
    """What is skipped as notes, one for each reason.

    Args:
        skipped: `family: reason`.

    Example:
        >>> left_out_notes(["image/a/mse: too small", "image/b/mse: too small", "image/c/mse: too large"])
        ['left out image/a/mse, image/b/mse: too small', 'left out image/c/mse: too large']
        >>> left_out_notes([f"image/{letter}/mse: too small" for letter in "abcde"])
        ['left out image/a/mse and 4 more: too small']
    """
    reasons: dict[str, list[str]] = {}
    for line in skipped:
        family, _, reason = line.partition(": ")
        reasons.setdefault(reason, []).append(family)
    return [
        f"left out {', '.join(names) if len(names) <= FEW else f'{names[0]} and {len(names) - 1} more'}: {reason}"
        for reason, names in reasons.items()
    ]
