"""Ranks of all retrieval tasks between captions of all languages and images, with shared work done once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax._names import PAIR_TASKS
from ccalign_jax.metrics.counts import Ranks
from ccalign_jax.metrics.ranks import BLOCK_ENTRIES, cosine_scores, rank, rank_both_directions
from ccalign_jax.metrics.via_images import ImagesOfCaptions, images_of_captions
from ccalign_jax.numerics import AnyArray

__all__ = ["PAIR_TASKS", "TextTasks", "ordered_pairs", "rank_tasks"]

Tree = TypeVar("Tree")


class TextTasks(NamedTuple):
    """Ranks of every query on each retrieval task.

    Attributes:
        t2i: for each language, its captions among the images.
        i2t: for each language, the images among its captions.
        t2t: for each of `ordered_pairs`, captions of the first language among those of the second; empty, as the
            next three, where the task was not asked for.
        via_image: likewise through the image nearest to the query.
        via_image_soft: through the mean of all images, weighted by a softmax of their scores.
        via_image_oracle: through the query's own image, an upper bound for retrieval through one image.
    """

    t2i: tuple[Ranks, ...]
    i2t: tuple[Ranks, ...]
    t2t: tuple[Ranks, ...] = ()
    via_image: tuple[Ranks, ...] = ()
    via_image_soft: tuple[Ranks, ...] = ()
    via_image_oracle: tuple[Ranks, ...] = ()


class _Side(NamedTuple):
    """One language: its rows, and where they belong."""

    text: Float[Array, "m d"]
    image_of: Int[Array, " m"]
    captions_of: Int[Array, "n k"]


def ordered_pairs(languages: int) -> list[tuple[int, int]]:
    """All (query, gallery) pairs of two different languages, the order of pairs everywhere.

    Example:
        >>> ordered_pairs(3)
        [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    """
    return [(a, b) for a in range(languages) for b in range(languages) if a != b]


def rank_tasks(
    text: Sequence[Float[AnyArray, "_ d"]],
    image: Float[AnyArray, "n d"],
    image_of: Sequence[Int[AnyArray, " _"]],
    captions_of: Sequence[Int[AnyArray, "n _"]],
    *,
    image_mask: Bool[AnyArray, " n"] | None = None,
    tasks: Sequence[str] = PAIR_TASKS,
    temperature: float | Float[Array, ""] = 0.01,
    block_entries: int = BLOCK_ENTRIES,
) -> TextTasks:
    """Ranks of text–image retrieval and of retrieval between all pairs of languages, under the inner product.

    Between languages the gold answers are all captions of the query's image. A caption whose image has none in the
    second language is no query (`tied` is 0). Call it from outside of `jit`: it compiles its steps itself, once for
    each shape that the languages have.

    Args:
        text: for each language `[m_l, d]` unit rows.
        image: `[n, d]` unit rows.
        image_of: for each language `[m_l]` image of each caption, -1 where the row is no caption.
        captions_of: for each language `[n, k_l]` captions of each image, -1 for none.
        image_mask: True where the row is an image; all by default.
        tasks: which of `PAIR_TASKS` to take between languages.
        temperature: positive; of `via_image_soft`.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: an unknown task.

    Example:
        >>> there = jnp.arange(3)
        >>> found = rank_tasks([jnp.eye(3)] * 2, jnp.eye(3), [there] * 2, [there[:, None]] * 2)
        >>> len(found.t2i), len(found.t2t), found.via_image[0].better.tolist()
        (2, 2, [0, 0, 0])
    """
    if unknown := set(tasks) - set(PAIR_TASKS):
        raise ValueError(f"unknown tasks {sorted(unknown)}; there are {', '.join(PAIR_TASKS)}")
    sides = [_Side(*map(_placed, side)) for side in zip(text, image_of, captions_of, strict=True)]
    image = _placed(image)
    image_mask = _placed(np.ones(len(image), bool) if image_mask is None else image_mask)
    both = [_with_images(side, image, image_mask, block_entries=block_entries) for side in sides]
    t2i, i2t = zip(*both, strict=True)
    pairs = ordered_pairs(len(sides))
    found: dict[str, dict[tuple[int, int], Ranks]] = {}
    if "via_image_oracle" in tasks:
        found["via_image_oracle"] = {(a, b): _pick(i2t[b], sides[a].image_of) for a, b in pairs}
    through = tuple(task for task in PAIR_TASKS[1:3] if task in tasks)
    if pairs and (through or "t2t" in tasks):
        stacks = _by_shape(sides)
        if "t2t" in tasks:
            found["t2t"] = _between_captions(stacks, block_entries)
        if through:
            soft = "via_image_soft" in through
            near = [
                images_of_captions(stack.text, image, image_mask, temperature, soft=soft, block_entries=block_entries)
                for stack, _ in stacks
            ]
            found |= _between_images(sides, stacks, near, image, through, block_entries)
    return TextTasks(t2i, i2t, **{task: tuple(each[pair] for pair in pairs) for task, each in found.items()})


def _by_shape(sides: Sequence[_Side]) -> list[tuple[_Side, list[int]]]:
    """Languages of equal shape stacked, and their places: what is mapped over them runs as one program."""
    places: dict[Any, list[int]] = {}
    for place, side in enumerate(sides):
        places.setdefault(tuple(leaf.shape for leaf in side), []).append(place)
    return [(_stacked([sides[one] for one in each]), each) for each in places.values()]


@jax.jit
def _stacked(sides: list[_Side]) -> _Side:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *sides)


def _between_captions(stacks, block_entries: int) -> dict[tuple[int, int], Ranks]:
    found = {}
    for number, (stack, places) in enumerate(stacks):
        for other, others in stacks[number:]:
            pairs = [(i, j) for i, a in enumerate(places) for j, b in enumerate(others) if a < b or other is not stack]
            if pairs:
                # Fetched whole: hundreds of slices on the device would take as long as the ranks.
                one, back = _fetch(_caption_pairs(stack, other, np.array(pairs), block_entries=block_entries))
                for row, (i, j) in enumerate(pairs):
                    found[places[i], others[j]] = _row(one, row)
                    found[others[j], places[i]] = _row(back, row)
    return found


def _between_images(sides, stacks, near, image: Array, through: tuple[str, ...], block_entries: int):
    found: dict[str, dict[tuple[int, int], Ranks]] = {task: {} for task in through}
    for _, galleries in stacks:
        for (stack, places), nearest in zip(stacks, near, strict=True):
            for b in galleries:
                rows = [i for i, a in enumerate(places) if a != b]
                if rows:
                    done = _through_images(
                        stack,
                        nearest,
                        np.array(rows),
                        sides[b],
                        image,
                        through=through,
                        block_entries=block_entries,
                    )
                    for task, ranks in zip(through, _fetch(done), strict=True):
                        found[task] |= {(places[i], b): _row(ranks, row) for row, i in enumerate(rows)}
    return found


@partial(jax.jit, static_argnames="block_entries")
def _with_images(side: _Side, image: Array, image_mask: Array, *, block_entries: int) -> tuple[Ranks, Ranks]:
    gold = side.image_of[:, None]
    ranked = partial(rank_both_directions, query_mask=side.image_of >= 0, gallery_mask=image_mask)
    return ranked(side.text, image, gold, side.captions_of, block_entries=block_entries)


@partial(jax.jit, static_argnames="block_entries")
def _caption_pairs(stack: _Side, other: _Side, pairs: Int[Array, "p 2"], *, block_entries: int) -> tuple[Ranks, Ranks]:
    def one_pair(pair: Int[Array, " 2"]) -> tuple[Ranks, Ranks]:
        a, b = _row(stack, pair[0]), _row(other, pair[1])
        ranked = partial(rank_both_directions, query_mask=a.image_of >= 0, gallery_mask=b.image_of >= 0)
        return ranked(a.text, b.text, _gold(a, b), _gold(b, a), block_entries=block_entries)

    return jax.lax.map(one_pair, pairs)


@partial(jax.jit, static_argnames=("through", "block_entries"))
def _through_images(
    stack: _Side,
    near: ImagesOfCaptions,
    rows: Int[Array, " a"],
    gallery: _Side,
    image: Array,
    *,
    through: tuple[str, ...],
    block_entries: int,
) -> list[Ranks]:
    fits = len(gallery.text) * len(image) <= block_entries
    block = cosine_scores(image, gallery.text) if fits else None

    def one_language(row: Int[Array, ""]) -> list[Ranks]:
        side, nearest = _row(stack, row), _row(near, row)
        ranked = partial(
            rank, gold=_gold(side, gallery), gallery_mask=gallery.image_of >= 0, block_entries=block_entries
        )

        def score_nearest(tile: ImagesOfCaptions, captions: Array) -> Array:
            """The scores of image rows stand in the block already; those of their means do not."""
            if block is None:
                return cosine_scores(tile.hard, captions)
            return jax.lax.cond(
                jnp.any(tile.unlike), lambda: cosine_scores(tile.hard, captions), lambda: block[tile.nearest]
            )

        tasks = {
            "via_image": lambda: ranked(nearest._replace(soft=nearest.nearest), gallery.text, score=score_nearest),
            "via_image_soft": lambda: ranked(nearest.soft, gallery.text),
        }
        return [tasks[task]() for task in through]

    return jax.lax.map(one_language, rows)


@jax.jit
def _pick(ranks: Ranks, image_of: Int[Array, " m"]) -> Ranks:
    """The ranks of each caption's image as a query; where the row is no caption, those of no query."""
    return jax.tree.map(lambda leaf: jnp.where(image_of >= 0, leaf[jnp.maximum(image_of, 0)], 0), ranks)


def _gold(side: _Side, other: _Side) -> Int[Array, "m k"]:
    """Captions of the other language of each caption's image, -1 for none."""
    captions = other.captions_of[jnp.maximum(side.image_of, 0)]
    return jnp.where((side.image_of >= 0)[:, None], captions, -1)


def _placed(rows: AnyArray) -> Array:
    """As `jnp.asarray`, which compiles a program for every shape of a NumPy array."""
    return rows if isinstance(rows, jax.Array) else jax.device_put(np.asarray(rows))


def _fetch(tree: Tree) -> Tree:
    return jax.tree.map(np.asarray, tree)


def _row(tree: Tree, row: int | Array) -> Tree:
    return jax.tree.map(lambda leaf: leaf[row], tree)
