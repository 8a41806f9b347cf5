"""Data sets made by hand, and what is asserted of every file that is read."""

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, Shards, keyed_sets, load


@pytest.fixture(params=["in memory", "mapped"])
def reading(request, monkeypatch) -> str:
    """Read arrays from memory and from disk, whatever their size."""
    if request.param == "mapped":
        monkeypatch.setattr(keyed_sets, "_MAP_FROM_BYTES", 0)
    return request.param


@pytest.fixture(scope="session")
def assert_same() -> Callable[[EmbeddingSet, EmbeddingSet], None]:
    """`assert_same(left, right)`: equal in everything but name and notes."""

    def check(left: EmbeddingSet, right: EmbeddingSet) -> None:
        assert left.languages == right.languages
        pairs = {"image": (left.image, right.image), "groups": (left.groups, right.groups)}
        for language in left.languages:
            pairs[language] = (left.text[language], right.text[language])
            pairs[f"owners of {language}"] = (left.image_of[language], right.image_of[language])
        for label, (a, b) in pairs.items():
            assert a.dtype == b.dtype, label
            np.testing.assert_array_equal(a, b, err_msg=label)
        assert left.keys.tolist() == right.keys.tolist()
        assert (left.split is None) == (right.split is None)
        assert left.split is None or left.split.tolist() == right.split.tolist()
        assert left.sha256() == right.sha256()

    return check


@pytest.fixture(scope="session")
def pairs_of() -> Callable[[Shards], list[tuple]]:
    """`pairs_of(shards)`: every caption with its image, as tuples, whatever the order of pairs."""

    def listed(shards: Shards) -> list[tuple]:
        rows = shards.read(0, len(shards))
        return sorted(
            (language, *text.tolist(), *image.tolist())
            for texts, mask, language in zip(rows.text, rows.mask, shards.languages, strict=True)
            for text, image in zip(texts[mask], rows.image[mask], strict=True)
        )

    return listed


@pytest.fixture(scope="session")
def refusal(one_line) -> Callable[..., str]:
    """`refusal(path, **options)` is the message of the error that `load` raises: one line that names the file."""

    def refused(path: str | PathLike[str], **options: Any) -> str:
        message = one_line(lambda: load(path, **options))
        assert message.startswith(str(path)), message
        return message

    return refused


@pytest.fixture(scope="session")
def rows() -> Callable[..., np.ndarray]:
    """`rows(*values)` is `[len(values), 2]`: each value beside a one, so that a row is told by its first number."""

    def beside_ones(*values: float, dtype: type = np.float16) -> np.ndarray:
        return np.stack([np.array(values), np.ones(len(values))], 1).astype(dtype)

    return beside_ones


@pytest.fixture
def gold_arrays(rows) -> dict[str, np.ndarray]:
    """Unsorted and repeated keys, several captions an image, a caption without image, an image without caption."""
    return {
        "image": rows(3, 1, 2, 9, 4),
        "image_keys": np.array(["c", "a", "b", "a", "d"]),
        "split": np.array(["test", "train", "dev", "test", "train"]),
        "image_groups": np.array([7, 5, 5, 1, 6]),
        "text_en": rows(30, 10, 31, 20, 80),
        "text_en_keys": np.array(["c", "a", "c", "b", "nobody"]),
        "text_zh-Hans": rows(200, 300, dtype=np.float32),
        "text_zh-Hans_keys": np.array(["b", "c"]),
    }


@pytest.fixture
def small_set(rows) -> EmbeddingSet:
    """Two images, two languages, groups and a split."""
    text = {"de": rows(5, 6), "en": rows(1, 2, 3, 4)}
    keys = {"de": ["y", "x"], "en": ["x", "y", "x", "y"]}
    split = ["test", "train"]
    return EmbeddingSet.build(
        "small", rows(7, 8), text, image_keys=["x", "y"], text_keys=keys, groups=[4, 2], split=split
    )
