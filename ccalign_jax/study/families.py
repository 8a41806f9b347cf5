"""Families, pivots × aligners × losses, and why a combination is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ccalign_jax._names import ALL_TEACHERS, CLOSED
from ccalign_jax.aligners import ALIGNERS, canonical_name, maps_unseen_languages, split_name
from ccalign_jax.errors import InputError, suggest
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, Pivot, make_pivot
from ccalign_jax.study.closed import closed_why_not
from ccalign_jax.training import Space

__all__ = ["Families", "left_out_by_reason", "left_out_notes", "why_not"]

DEFAULT_ALIGNERS = ("linear", "residual", "residual_mlp")
# Where the identity is at chance; the second where images are mapped, too.
UNINFORMED_ALIGNERS = ("linear", "ridge")
UNINFORMED_ALIGNERS_BOTH_SIDES = ("linear", "mlp", "centred_ridge", "cca", "csa", "multi_step")
TAUGHT_ALIGNERS = ("ridge", "procrustes")  # beside the others, solved on the teacher's rows
MAX_NAMES = 3  # of families in a note

Family = tuple[Pivot, str, str]  # with its aligner and loss


@dataclasses.dataclass(frozen=True)
class Families:
    """What a sweep is asked to cross.

    Attributes:
        space: widths and languages of the data.
        pivots: names; `all` stands for every pivot (a text pivot for English, or the first language trained on).
        aligners: names, or None for the default ones of each pivot: `per_language(…)` under a text pivot (unless a
            language is held out), `dual(…)` where images move, too. `all` stands for every aligner, `closed` for
            every closed form.
        losses: names.
        full: where no aligner is named, every aligner under InfoNCE, every loss with the residual map, and every
            closed form.
        heldout: a language that is not trained on, for which maps of its own are left out.
        informed: whether the identity retrieves above chance; if not, the default aligners are those that do not
            build on it, and beside the pivot `image` there is `symmetric`, which some of them need.

    Raises:
        InputError: an unknown loss.
    """

    space: Space
    pivots: Sequence[str]
    aligners: Sequence[str] | None
    losses: Sequence[str]
    full: bool = False
    heldout: str | None = None
    informed: bool = True

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.losses) - set(LOSSES)):
            raise InputError(f"unknown loss {unknown[0]!r}; {suggest(unknown[0], LOSSES)} (--losses=list)")

    def named(self, others: Sequence[str]) -> Iterator[Family]:
        """Pivot, aligner and loss of every family asked for, beside the default aligners those of the grid, `others`.

        Closed forms have no loss to choose.
        """
        names, compared = list(self.pivots), set[bool]()
        if "all" in names:
            seen = [language for language in self.space.languages if language != self.heldout]
            hub = "en" if "en" in seen else seen[0]
            names = [
                f"{name}:{entry.default or hub}" if entry.takes_language else name
                for name, entry in PIVOTS.items()
                if name != "teacher" or self.space.teachers
            ]
        if not self.informed and self.aligners is None and not self.full and "image" in names:
            names.append("symmetric")
        for pivot in (make_pivot(name, self.space.languages) for name in dict.fromkeys(names)):
            if self.full and self.aligners is None:
                yield from self._full(pivot, losses=pivot.moves_images not in compared)
                compared.add(pivot.moves_images)
                continue
            asked = self._defaults(pivot, others) if self.aligners is None else self.aligners
            for aligner in _canonical(asked, pivot):
                closed = ALIGNERS[split_name(aligner)[1]].closed
                for loss in (CLOSED,) if closed else dict.fromkeys(self.losses):
                    yield pivot, aligner, loss

    def _full(self, pivot: Pivot, *, losses: bool) -> Iterator[Family]:
        """All aligners and closed forms; the losses at one pivot with the images frozen, and one with them moving."""
        yield from ((pivot, aligner, "infonce") for aligner in _canonical(["all"], pivot))
        residual = canonical_name("dual(residual)" if pivot.moves_images else "residual")
        yield from ((pivot, residual, loss) for loss in LOSSES if losses and loss != "infonce")
        forms = _canonical(["closed"], pivot)
        yield from ((pivot, aligner, CLOSED) for aligner in forms if not closed_why_not(aligner, pivot))

    def _defaults(self, pivot: Pivot, others: Sequence[str]) -> list[str]:
        # Within the texts the identity is that of one encoder, whatever the images are.
        uninformed = UNINFORMED_ALIGNERS_BOTH_SIDES if pivot.moves_images else UNINFORMED_ALIGNERS
        defaults = DEFAULT_ALIGNERS if self.informed or pivot.within_text else uninformed
        if pivot.teacher is not None:
            defaults = tuple(dict.fromkeys((*defaults, *TAUGHT_ALIGNERS)))
        apart = pivot.language is not None and self.heldout is None  # a language that is held out has no map of its own
        own = "dual({})" if pivot.moves_images else "per_language({})" if apart else "{}"
        names = [own.format(name) for name in defaults if not ALIGNERS[name].closed]
        names += [name for name in defaults if ALIGNERS[name].closed and not closed_why_not(name, pivot)]
        for name in others:
            if name not in DEFAULT_ALIGNERS:
                trained = name in ALIGNERS and not ALIGNERS[name].closed
                names.append(f"dual({name})" if pivot.moves_images and trained else name)
        return names


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
    if pivot.teacher is not None:
        if pivot.teacher not in (ALL_TEACHERS, *space.teachers) or not space.teachers:
            there = f"there are {', '.join(space.teachers)}" if space.teachers else "add arrays teacher_<language>"
            return f"pivot {pivot.name}: the data have no such teacher rows; {there}"
        if space.d_teacher != space.d_image:
            return (
                f"pivot {pivot.name} aligns to rows [{space.d_teacher}], in whose space the images "
                f"[{space.d_image}] are not; use --gallery=teacher, or images by the teacher's encoder"
            )
    if pivot.within_text and space.d_text != space.d_image:
        return (
            f"pivot {pivot.name} aligns within the text space [{space.d_text}], which is not that of the images "
            f"[{space.d_image}]; use image or symmetric"
        )
    seen = [language for language in space.languages if language != heldout]
    if pivot.within_text and len(seen) < 2:
        return f"pivot {pivot.name} needs a second language to train on, there is {seen[0]} alone"
    return None


def left_out_by_reason(skipped: Sequence[str]) -> dict[str, list[str]]:
    """The families that are left out for each reason.

    Args:
        skipped: `family: reason`.

    Example:
        >>> left_out_by_reason(["image/a/mse: too small", "image/b/mse: too small"])
        {'too small': ['image/a/mse', 'image/b/mse']}
    """
    reasons: dict[str, list[str]] = {}
    for line in skipped:
        family, _, reason = line.partition(": ")
        reasons.setdefault(reason, []).append(family)
    return reasons


def left_out_notes(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """What `left_out_by_reason` finds as one note, or none: all of a single reason, else a count and an example.

    Example:
        >>> left_out_notes({"too small": ["image/a/mse", "image/b/mse"]})
        ['left out image/a/mse, image/b/mse: too small']
        >>> left_out_notes({"too small": ["image/a/mse", "image/b/mse"], "too large": ["image/c/mse"]})[0]
        'left out 3 combinations, each for its reason in left_out of summary.json, such as image/a/mse: too small'
    """
    if not reasons:
        return []
    (reason, names), *others = reasons.items()
    count = sum(map(len, reasons.values()))
    if others:
        why = "each for its reason in left_out of summary.json"
        return [f"left out {count} combinations, {why}, such as {names[0]}: {reason}"]
    named = ", ".join(names) if count <= MAX_NAMES else f"{names[0]} and {count - 1} more"
    return [f"left out {named}: {reason}"]


def _canonical(names: Sequence[str], pivot: Pivot) -> list[str]:
    """Canonical names; those that stand for several fit the pivot."""
    found: list[str] = []
    for name in names:
        if name == "all":
            wrap = "dual({})" if pivot.moves_images else "{}"
            found += [wrap.format(each) for each, entry in ALIGNERS.items() if not entry.closed and each != "identity"]
            found += ["per_language(residual)"] * (not pivot.moves_images)
        elif name == "closed":
            forms = [each for each, entry in ALIGNERS.items() if entry.closed]
            found += [each for each in forms if ALIGNERS[each].two_sided == pivot.moves_images]
        else:
            found.append(name)
    return [name for name in dict.fromkeys(map(canonical_name, found)) if name != "identity"]
