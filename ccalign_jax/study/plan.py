"""A sweep before it runs: its data, folds and trials. Everything that can be wrong is found here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ccalign_jax.data import EmbeddingSet, Fold, nested_folds, official_folds, seed_folds
from ccalign_jax.data.fold_checks import check_folds, unused_images
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_float32
from ccalign_jax.options import SweepConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.precision import is_emulated
from ccalign_jax.solvers import add_rows, empty_moments, identity_informs
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.arrays import fold_arrays, make_part, plan_fits, train_embeddings, without_language
from ccalign_jax.study.families import Families, left_out_by_reason, left_out_notes
from ccalign_jax.study.grids import load_grid, parse_settings
from ccalign_jax.study.inputs import prepare_data, read_data
from ccalign_jax.study.trials import SEED_PROTOCOL, check_steps, make_trials
from ccalign_jax.training import Embeddings, FitPlan, FoldArrays, Group, Part, Space, Trial, group_trials

if TYPE_CHECKING:
    pass

__all__ = ["Plan", "can_race", "plan_folds", "plan_sweep", "prepare_data", "read_data"]

INFORMING_IMAGES = 200  # training images on which `Plan.informed` is measured, at most


class Plan(NamedTuple):
    """A sweep that has been checked and not begun.

    `informed` is whether the identity retrieves above chance (see `solvers.identity_informs`), `left_out` the families
    that are not tried, by reason.
    """

    data: EmbeddingSet
    config: SweepConfig
    folds: list[Fold]
    fits: FitPlan
    space: Space
    groups: list[Group]
    notes: list[str]
    informed: bool = True
    left_out: Mapping[str, Sequence[str]] = MappingProxyType({})

    def part(self, fold: int, name: Literal["test", "train_eval"]) -> Part:
        """What is ranked of a fold: all languages, or the one that was not trained on."""
        heldout = self.config.heldout_language
        return make_part(self.data, getattr(self.folds[fold], name), None if heldout is None else [heldout])

    @property
    def inner(self) -> str:
        """By what epochs and trials are chosen, in words."""
        counts = {len(fold.inner) for fold in self.folds}
        if self.config.protocol == "seed":
            return "the test parts themselves"
        if counts == {1}:
            return "one inner part of the other images"
        tested = [fold.test for fold in self.folds]
        if all(any(np.array_equal(one.validation, rows) for rows in tested) for one in self.folds[0].inner):
            return f"each of the other {len(self.folds[0].inner)} folds in turn"
        return f"{counts.pop() if len(counts) == 1 else 'several'} inner folds"

    @property
    def test_share(self) -> float:
        """Test images over training images, the mean over folds."""
        return float(np.mean([len(fold.test) / len(fold.train) for fold in self.folds]))

    @property
    def raced(self) -> list[Trial]:
        """The trials that a fold drops where its inner parts show them to be clearly worse: those that are trained."""
        race = self.config.race and self.config.protocol == "nested" and can_race(self.fits)
        return [trial for trial in self.trials if race and trial.aligner not in CLOSED_FORMS]

    @property
    def trials(self) -> list[Trial]:
        return sorted((trial for group in self.groups for trial in group.trials), key=lambda trial: trial.index)

    @property
    def trained_languages(self) -> list[str]:
        return [language for language in self.data.languages if language != self.config.heldout_language]

    def arrays(self) -> tuple[Embeddings, FoldArrays]:
        """The data and its folds on the device; a language that is held out has no caption to train on."""
        heldout = self.config.heldout_language
        trained = [group for group in self.groups if group.aligner not in CLOSED_FORMS]
        kinds = {make_pivot(group.pivot, self.space.languages).consensus for group in trained}
        folds = fold_arrays(self.data, self.folds, self.fits, consensus=filter(None, kinds), heldout=heldout)
        return train_embeddings(self.data, heldout), folds

    @property
    def min_train_size(self) -> int:
        """Images in the smallest training part."""
        return min(map(len, self.fits.train))


def can_race(fits: FitPlan) -> bool:
    """Whether a race can save fits: where several inner parts choose, by other fits than the one that is tested."""
    several = all(len(inner) > 1 for inner in fits.inner)
    return several and not set(fits.test) & {fit for inner in fits.inner for fit, _ in inner}


def plan_folds(data: EmbeddingSet, config: SweepConfig) -> list[Fold]:
    """The fold plan of the protocol, checked."""
    if config.protocol == "seed":
        folds = seed_folds(data, folds=config.folds)
    elif config.split == "official":
        folds = official_folds(data, seed=config.seed)
    else:
        folds = nested_folds(
            data, folds=config.folds, inner=config.inner_folds, repeats=config.repeats, seed=config.seed
        )
    check_folds(data, folds, nested=config.protocol == "nested")
    return folds


def plan_sweep(
    data: EmbeddingSet, config: SweepConfig, folds: list[Fold], *, blocks: Sequence[Mapping[str, Any]] | None = None
) -> Plan:
    """Check everything that can be wrong before anything is written or computed.

    Args:
        data: prepared, as by `prepare_data`.
        config, folds: what is asked for, and on which folds.
        blocks: of a grid, in place of the config's.

    Raises:
        InputError: an unknown name, an impossible setting, or nothing to train.
    """
    heldout, taught = config.heldout_language, tuple(sorted(data.teachers))
    space = Space(data.d_text, data.d_image, data.languages, data.d_teacher, taught)
    if heldout is not None and heldout not in data.languages:
        raise InputError(f"--heldout_language={heldout}: the data has {', '.join(data.languages)}")
    if heldout is not None and len(data.languages) < 2:
        raise InputError(f"--heldout_language={heldout}: the data has no other language to train on")
    settings = {"precision": [config.precision]} if config.precision != "float32" else {}
    settings |= parse_settings(config.hyper)
    informed = _identity_informs(without_language(data, heldout), folds[0].train)
    seed = config.protocol == "seed"
    asked = Families(space, config.pivots, config.aligners, config.losses, heldout=heldout, informed=informed or seed)
    if blocks is None:
        asked = dataclasses.replace(asked, full=config.grid == "full")
    grid = load_grid(config.grid if blocks is None else blocks)
    found = make_trials(asked, blocks=grid, settings=settings, fixed=SEED_PROTOCOL if seed else None)
    for trial in found.trials:
        check_steps(trial.name, trial.recipe.epochs * trial.recipe.steps_per_epoch)
    left_out = left_out_by_reason(found.skipped)
    notes = [*data.notes, *left_out_notes(left_out)]
    for key in settings:
        if not any(key in trial.reads for trial in found.trials):
            notes.append(f"{key} changes nothing: no aligner, pivot or loss that was asked for reads it")
    if unused := unused_images(data, folds):
        notes.append(
            f"left out {unused} of {len(data)} images: no fold has them, such as those that show what test images do"
        )
    if heldout is not None:
        notes.append(f"{heldout} is held out: not trained on, and all metrics are of it alone")
    if any(trial.recipe.precision == "bfloat16" for trial in found.trials) and is_emulated():
        notes.append("bfloat16 products are slower than float32 ones here: this CPU has no AMX")
    if not informed:
        by_default = config.aligners is None and config.grid != "full"
        notes.append(_uninformed_note(data, found.trials, by_default=by_default))
    plan = Plan(data, config, folds, plan_fits(folds), space, group_trials(found.trials), notes, informed, left_out)
    sizes = {trial.recipe.batch_images for trial in found.trials if trial.aligner not in CLOSED_FORMS}
    smallest = plan.min_train_size
    for size in sorted(size for size in sizes if size > smallest):
        notes.append(f"batches of {size} images are cut to {smallest}: the smallest training part has no more")
    return plan


def _identity_informs(data: EmbeddingSet, images: np.ndarray) -> bool:
    """Whether identity retrieves above chance, on up to `INFORMING_IMAGES` of these images and all their captions."""
    if data.d_text != data.d_image:
        return False
    some = images[:: -(-len(images) // INFORMING_IMAGES)]
    moments = empty_moments(data.d_text, data.d_image)
    for language in data.languages:
        chosen = np.isin(data.image_of[language], some)
        if chosen.any():
            pairs = data.text[language][chosen], data.image[data.image_of[language][chosen]]
            moments = add_rows(moments, *map(unit_float32, pairs))
    return identity_informs(moments)


def _uninformed_note(data: EmbeddingSet, trials: Sequence[Trial], *, by_default: bool) -> str:
    """One line on an identity at chance: why, and what the sweep does instead."""
    why = (
        f"captions have {data.d_text} dimensions, images {data.d_image}: identity cuts or pads and is near chance"
        if data.d_text != data.d_image
        else "identity is at chance: captions lie no nearer to their own images than to others"
    )
    by_default = by_default and any(trial.pivot == "symmetric" for trial in trials)
    solved = any(trial.aligner in CLOSED_FORMS for trial in trials)
    against = (
        "changes are given against the best closed form, too"
        if solved
        else "no closed form is compared with; add one, such as csa under --pivot=symmetric"
    )
    tried = "; by default CCA, CSA, ridge, and linear and MLP heads on both sides are compared" * by_default
    return f"{why}{tried}; ridge shrinks to 0, and {against}"
