"""Score corrections without parameters, such as CSLS: training-free baselines for trained maps."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ccalign_jax.measurement.estimates import Entry, estimate
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY, Measurement, measure
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.metrics import SCORINGS, Banks, Ranks, Scoring, rank_pairs
from ccalign_jax.numerics import AnyArray
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.plan import Plan
from ccalign_jax.threads import in_threads
from ccalign_jax.training import Embeddings, FoldArrays, Part, PartRows, Recipe, map_part

__all__ = [
    "BANK_ROWS",
    "Corrections",
    "Scored",
    "bank_rows",
    "correct_mapped",
    "correct_scores",
    "correction_arms",
    "identity_scores",
    "summarise_corrections",
    "take_bank",
]

Corrections = dict[str, Measurement]  # by the name of the score, on one fold
Scored = tuple[str, str]  # a state, of which identity is one, and a score

BASELINE: Scored = (IDENTITY, "cosine")

BANK_STEP = 500
BANK_ROWS = 5000  # of each side: more rows hardly change the neighbourhoods, and take their time


def take_bank(rows: np.ndarray, *, seed: int) -> tuple[Array, Array]:
    """At most `BANK_ROWS` of the rows, drawn at random; padded to one of few sizes; and which are real."""
    if len(rows) > BANK_ROWS:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), BANK_ROWS, replace=False))]
    size = min(BANK_ROWS, max(1, -(-len(rows) // BANK_STEP)) * BANK_STEP)  # so that languages share compiled code
    padded = np.zeros((size, rows.shape[1]), np.float32)
    padded[: len(rows)] = rows
    return jnp.asarray(padded), jnp.arange(size) < len(rows)


@jax.jit
def _ranks(
    text: Array, image: Array, image_of: Array, captions_of: Array, image_mask: Array, banks: Banks
) -> dict[str, tuple[Ranks, Ranks]]:
    """Under all scorings, in one program: the scores of a bank that several of them look at are formed once."""
    scorings = [scoring(text, image, banks) for scoring in SCORINGS.values()]
    widest = max(scoring.queries.shape[1] for scoring in scorings)
    padded = [jax.tree.map(lambda rows: jnp.pad(rows, ((0, 0), (0, widest - rows.shape[1]))), one) for one in scorings]
    stacked = jax.tree.map(lambda *rows: jnp.stack(rows), *padded)  # so that ranks are compiled once

    def ranked(one: Scoring) -> tuple[Ranks, Ranks]:
        return rank_pairs(one.queries, one.gallery, image_of, captions_of, image_mask=image_mask)

    ranks = jax.lax.map(ranked, stacked)
    return {name: jax.tree.map(lambda leaf, row=row: leaf[row], ranks) for row, name in enumerate(SCORINGS)}


def correct_scores(
    text: Sequence[AnyArray],
    image: AnyArray,
    part: Part,
    bank_text: Sequence[np.ndarray],
    bank_image: np.ndarray,
    languages: Sequence[str],
) -> Corrections:
    """Retrieval in both directions under every score correction, by its name in `metrics.SCORINGS`.

    Args:
        text: for each language `[m_l, d]` unit rows.
        image: `[n, d]` unit rows.
        part: where they belong.
        bank_text: for each language unit rows that its images' neighbours are sought among.
        bank_image: unit rows that its captions' neighbours are sought among.
        languages: their names.
    """
    there = jnp.asarray(np.asarray(part.images) >= 0)
    images, image_mask = take_bank(bank_image, seed=0)
    each = []  # language
    for rows, owner, gold, bank in zip(text, part.image_of, part.captions_of, bank_text, strict=True):
        near, mask = take_bank(bank, seed=1)
        banks = Banks(near, images, mask, image_mask)
        each.append(jax.tree.map(np.asarray, _ranks(rows, image, owner, gold, there, banks)))
    found = {}
    for name in SCORINGS:
        ranks = tuple(one[name] for one in each)
        found[name] = measure(ranks, part, languages)
    return found


def correct_mapped(rows: PartRows, bank: PartRows, languages: Sequence[str]) -> Corrections:
    """`correct_scores` of the mapped rows of a test part, with those of a training part as the bank."""
    return correct_scores(rows.text, rows.image, rows.part, *bank_rows(bank), languages)


def bank_rows(bank: PartRows) -> tuple[list[np.ndarray], np.ndarray]:
    """The captions of each language and the images, without padding; a language without any has those of all others."""
    owners = zip(bank.text, bank.part.image_of, strict=True)
    text = [np.asarray(each)[np.asarray(owner) >= 0] for each, owner in owners]
    every = np.concatenate(text)
    return [own if len(own) else every for own in text], np.asarray(bank.image)


def identity_scores(plan: Plan, embeddings: Embeddings, arrays: FoldArrays) -> list[Corrections]:
    """The score corrections on the embeddings as they are, fold by fold."""
    aligner, parts = plan.space.aligner(IDENTITY, Recipe()), jax.tree.map(np.asarray, arrays.test)

    def on_fold(number: int) -> Corrections:
        bank = make_part(plan.data, plan.folds[number].train, plan.trained_languages)
        part = jax.tree.map(operator.itemgetter(number), parts)
        rows, near = (map_part(aligner, {}, embeddings, one) for one in (part, bank))
        return correct_mapped(rows, near, plan.data.languages)

    return list(in_threads(on_fold, range(len(plan.folds))))


def summarise_corrections(
    scored: Mapping[str, Sequence[Corrections]],
    replicates: Replicates,
    *,
    bank: int,
    transductive: bool = False,
    test_share: float = 0.0,
    optimistic: bool = False,
    tested: Collection[str] | None = None,
) -> tuple[dict[str, Any], dict[Scored, Entry]]:
    """The `scores` of a summary: metrics of each score, and changes against the cosine on identity.

    Args:
        scored: for each state, of which identity is one, the corrections of every fold.
        replicates: of the data.
        bank: images whose rows the score corrections look at.
        transductive: whether these are the test images.
        test_share: as in `Inference`.
        optimistic: whether maps were chosen on the test images.
        tested: the states whose metrics have intervals and p-values; by default all.

    Returns:
        The content of the summary, and the estimates by state and score.
    """
    arms = {
        state: {name: Arm((state, name), [corrections[name] for corrections in folds]) for name in folds[0]}
        for state, folds in scored.items()
    }
    base = arms[BASELINE[0]][BASELINE[1]]
    inference = Inference(base, replicates, test_share=test_share)
    judged = list(scored) if tested is None else tested
    inference.measure(arm for state in judged for arm in arms[state].values())
    entries = {
        (state, name): inference.entry(arm) if state in judged else estimate(arm.test, base.test)
        for state, each in arms.items()
        for name, arm in each.items()
    }
    compared = {key: entry for key, entry in entries.items() if key[0] in judged and key != BASELINE}
    adjust(list(compared.values()), optimistic=[optimistic and state != IDENTITY for state, _ in compared])
    content: dict[str, Any] = {"bank": {"images": bank, "most_rows": BANK_ROWS, "transductive": transductive}}
    for (state, name), entry in entries.items():
        content.setdefault(state, {})[name] = (nested := entry.nest()).pop("metrics") | nested
    return content, entries


def correction_arms(entries: Mapping[Scored, Entry]) -> list[ArmEntry]:
    """The records of `summarise_corrections`, each arm named by state and score."""
    return [ArmEntry("score correction", ", ".join(key), entry, ", ".join(BASELINE)) for key, entry in entries.items()]
