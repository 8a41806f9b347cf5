"""A list of the images that could not be downloaded, and why, which grows line by line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple, Self

from ccalign_jax.files import full_disk, whole_path

__all__ = ["FAILURES", "Failure", "FailureList"]

FAILURES = "failures.csv"


class Failure(NamedTuple):
    """An image that could not be downloaded.

    Attributes:
        image: its key.
        url: its address.
        reason: in a few words.
        final: trying again would not help.
    """

    image: str
    url: str
    reason: str
    final: bool


class FailureList:
    """`failures.csv`, with a line `image,url,reason,final` for each failure; used in a `with` statement.

    Final failures of an earlier download are kept, others are forgotten: those images are tried again.

    Args:
        path: the file, which need not exist.
        wanted: keys of the images whose failures are kept.
    """

    def __init__(self, path: Path, wanted: Container[str]):
        self._path = path
        self.kept = [failure for failure in _read(path) if failure.final and failure.image in wanted]
        self.reasons = Counter(failure.reason for failure in self.kept)

    def __enter__(self) -> Self:
        rows = [Failure._fields, *map(_row, self.kept)]
        with whole_path(self._path, resumable=True) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        self._file = self._path.open("a", encoding="utf-8", newline="")
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def add(self, failure: Failure) -> None:
        """Write one line at once."""
        self.reasons[failure.reason] += 1
        with full_disk(self._path, resumable=True):
            csv.writer(self._file, lineterminator="\n").writerow(_row(failure))
            self._file.flush()


def _row(failure: Failure) -> tuple[str, ...]:
    return (*failure[:3], "yes" if failure.final else "no")


def _read(path: Path) -> list[Failure]:
    """What the file lists; a line that a killed download cut off is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(Failure._fields)]
    return [Failure(image, url, reason, final == "yes") for image, url, reason, final in rows[1:]]
