"""One shard: its items encoded, what cannot be is left out, and the arrays that are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.caption_counts import COUNT
from ccalign_jax.data.image_hashes import DIGEST, HASH
from ccalign_jax.data.originals import CAPTIONS, LONGEST
from ccalign_jax.data.shard_sets import bytes_of_strings
from ccalign_jax.encoders.base import FINAL, Encoder, Rows
from ccalign_jax.encoders.images import ImageReference, open_image
from ccalign_jax.extraction.ahead import ImagesAhead, ShardItems
from ccalign_jax.extraction.encode import EncoderPool, unit_rows
from ccalign_jax.extraction.image_hashes import ImageHashes, hash_image
from ccalign_jax.extraction.items import Item, LeftOut

__all__ = ["Embedded", "embed_shard", "prepare_hashed"]

NO_DIRECTION = "the encoder returns NaN, infinity or zero"


class Embedded(NamedTuple):
    """A shard in memory.

    Attributes:
        arrays: by layer; `FINAL` is the embeddings, as `open_shards` has ragged shards.
        left_out: what is in no array.
    """

    arrays: Mapping[str, Mapping[str, np.ndarray]]
    left_out: list[LeftOut]


class _Caption(NamedTuple):
    item: int
    language: str
    number: int
    text: str


def prepare_hashed(encoder: Encoder, image: ImageReference) -> tuple[ImageHashes, Any]:
    """The hashes of an image, and the image prepared for its encoder, decoded once.

    Raises:
        ValueError: it cannot be read.
    """
    opened = open_image(image)
    return hash_image(opened), encoder.prepare(opened)


def embed_shard(
    shard: ShardItems,
    ahead: ImagesAhead,
    texts: EncoderPool,
    images: EncoderPool,
    *,
    dtype: np.dtype,
    progress: Callable[[int], None],
) -> Embedded:
    """Encode the captions and images of a shard.

    Captions that occur several times are encoded once. Which rows come out does not depend on other shards.

    Args:
        shard: its items.
        ahead: where the next images of `prepare_hashed` are those of this shard.
        texts, images: the encoders.
        dtype: of the rows.
        progress: called with numbers of captions or images that are done.
    """
    left_out: list[LeftOut] = []
    captions = list(_captions(shard.items, texts, left_out))
    distinct = list(dict.fromkeys(text for *_, text in captions))
    place = {text: number for number, text in enumerate(distinct)}
    text_rows = texts.sorted_rows(distinct, progress)
    progress(sum(len(several) for item in shard.items for several in item.captions.values()) - len(distinct))

    shown: dict[int, ImageHashes] = {}

    def prepared() -> Iterator[Any]:
        for number, item in enumerate(shard.items):
            image, reason = ahead.image()
            if reason is None:
                shown[number], inputs = image
                yield inputs
            else:
                left_out.append(LeftOut(item.key, "", "", reason))
                progress(1)

    image_rows = images.rows(prepared(), progress)
    image_units = _units(image_rows, dtype)
    text_units = _units(text_rows, dtype)

    image_good = dict(zip(shown, _good(image_units), strict=True))
    left_out += [LeftOut(shard.items[at].key, "", "", NO_DIRECTION) for at, good in image_good.items() if not good]
    text_good = _good(text_units)
    spoken = {each.item for each in captions if text_good[place[each.text]]}
    for caption in captions:
        if not text_good[place[caption.text]]:
            key = shard.items[caption.item].key
            left_out.append(LeftOut(key, caption.language, str(caption.number), NO_DIRECTION))
    silent = [at for at, good in image_good.items() if good and at not in spoken]
    left_out += [LeftOut(shard.items[at].key, "", "", "no caption is left") for at in silent]

    kept = [at for at, good in image_good.items() if good and at in spoken]
    used = [each for each in captions if text_good[place[each.text]]]
    arrays = {
        layer: _arrays(shard.items, kept, shown, used, place, image_units, text_units, layer)
        for layer in dict.fromkeys([FINAL, *image_units, *text_units])
    }
    order = {item.key: at for at, item in enumerate(shard.items)}
    left_out.sort(key=lambda each: (order[each.image], each.language, len(each.caption), each.caption))
    return Embedded(arrays, left_out)


def _captions(items: list[Item], texts: EncoderPool, left_out: list[LeftOut]) -> Iterator[_Caption]:
    """Prepared captions; the empty ones are left out."""
    for at, item in enumerate(items):
        for language, several in item.captions.items():
            for number, text in enumerate(several):
                reason = None if text.strip() else "empty caption"
                try:
                    text.encode()
                except UnicodeEncodeError:
                    reason = "not valid text: half a surrogate pair"
                if reason is None:
                    yield _Caption(at, language, number, texts.encoder.prepare(text))
                else:
                    left_out.append(LeftOut(item.key, language, str(number), reason))


Units = Mapping[str, tuple[np.ndarray, np.ndarray]]


def _units(rows: Rows, dtype: np.dtype) -> Units:
    return {layer: unit_rows(values, dtype) for layer, values in rows.items()}


def _good(units: Units) -> np.ndarray:
    """Rows that have a direction in every layer."""
    return np.logical_and.reduce([good for _, good in units.values()]) if units else np.zeros(0, bool)


def _arrays(
    items: list[Item],
    kept: list[int],
    shown: Mapping[int, ImageHashes],
    captions: list[_Caption],
    place: Mapping[str, int],
    image_units: Units,
    text_units: Units,
    layer: str,
) -> dict[str, np.ndarray]:
    """The arrays of a layer; an encoder that does not have it gives its final rows."""
    images = image_units.get(layer, image_units.get(FINAL))
    texts = text_units.get(layer, text_units.get(FINAL))
    row_of = {at: row for row, at in enumerate(shown)}
    image = np.zeros((0, 1), np.float16) if images is None else images[0][[row_of[at] for at in kept]]
    found = {"image": image, "image_keys": bytes_of_strings([items[at].key for at in kept])}
    found[DIGEST] = np.array([shown[at].digest for at in kept], np.uint64)
    found[HASH] = np.array([shown[at].perceptual for at in kept], np.uint64)
    found["split"] = bytes_of_strings([items[at].split or "" for at in kept])
    if items[0].group is not None:
        found["image_groups"] = np.array([items[at].group for at in kept], np.int64)
    at_row = {at: row for row, at in enumerate(kept)}
    used = [each for each in captions if each.item in at_row]
    for language in sorted({each.language for each in used}):
        mine = [each for each in used if each.language == language]
        assert texts is not None
        found[f"text_{language}"] = texts[0][[place[each.text] for each in mine]]
        found[f"{CAPTIONS}{language}"] = bytes_of_strings([_original(items, each)[:LONGEST] for each in mine])
        counts = np.bincount([at_row[each.item] for each in mine], minlength=len(kept))
        found[f"{COUNT}{language}"] = counts.astype(np.uint16 if counts.max(initial=0) < 1 << 16 else np.int64)
    return {key: np.ascontiguousarray(values) for key, values in found.items()}


def _original(items: list[Item], caption: _Caption) -> str:
    """The text as the source has it, without a prompt."""
    return items[caption.item].captions[caption.language][caption.number]
