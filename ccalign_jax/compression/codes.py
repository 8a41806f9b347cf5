"""Rows with fewer bits a number: 8-bit integers, and single bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, UInt8

__all__ = ["CODES", "BinaryCode", "Float32Code", "Int8Code"]

LEVELS = 127


class Float32Code(NamedTuple):
    """Rows as they are."""

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "n d"]) -> Float32Code:
        """Nothing has to be known."""
        return cls()

    def encode(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The rows as float32."""
        return np.asarray(rows, np.float32)

    def decode(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The rows."""
        return codes


class Int8Code(NamedTuple):
    """x ↦ round((x − middle) / scale) in −127 … 127; each dimension has its own range.

    Attributes:
        middle: `[d]`, of the range.
        scale: `[d]`, of one step; positive.
    """

    middle: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "n d"]) -> Int8Code:
        """The range of each dimension in these rows; what lies beyond it later is cut off.

        Example:
            >>> code = Int8Code.fit(np.array([[-1.0, 0.0], [1.0, 0.0]], np.float32))
            >>> code.encode(np.array([[0.5, 0.0], [9.0, 0.0]], np.float32)).tolist()
            [[64, 0], [127, 0]]
        """
        low, high = rows.min(axis=0), rows.max(axis=0)
        step = (high - low) / (2 * LEVELS)
        return cls(((low + high) / 2).astype(np.float32), np.where(step > 0, step, 1).astype(np.float32))

    def encode(self, rows: Float[np.ndarray, "n d"]) -> Int8[np.ndarray, "n d"]:
        """One byte a number."""
        return np.clip(np.rint((rows - self.middle) / self.scale), -LEVELS, LEVELS).astype(np.int8)

    def decode(self, codes: Int8[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The rows that the codes stand for, float32."""
        return codes * self.scale + self.middle


class BinaryCode(NamedTuple):
    """x ↦ the signs of x − mean, eight to a byte; decoded they are −1 and 1.

    Attributes:
        mean: `[d]`.
    """

    mean: Float[np.ndarray, " d"]

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "n d"]) -> BinaryCode:
        """The mean of these rows.

        Example:
            >>> rows = np.array([[0.0, 3.0], [2.0, 1.0]], np.float32)
            >>> code = BinaryCode.fit(rows)
            >>> code.encode(rows).tolist(), code.decode(code.encode(rows)).tolist()
            ([[64], [128]], [[-1.0, 1.0], [1.0, -1.0]])
        """
        return cls(rows.mean(axis=0, dtype=np.float64).astype(np.float32))

    def encode(self, rows: Float[np.ndarray, "n d"]) -> UInt8[np.ndarray, "n bytes"]:
        """An eighth of a byte a number."""
        return np.packbits(rows > self.mean, axis=1)

    def decode(self, codes: UInt8[np.ndarray, "n bytes"]) -> Float[np.ndarray, "n d"]:
        """Signs, float32."""
        return 2 * np.unpackbits(codes, axis=1, count=len(self.mean)).astype(np.float32) - 1


CODES: dict[str, type[Float32Code] | type[Int8Code] | type[BinaryCode]] = {
    "float32": Float32Code,
    "int8": Int8Code,
    "binary": BinaryCode,
}
