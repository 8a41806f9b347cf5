"""Numbers as printed: one rounding for all of them, and texts that keep the values they show."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

__all__ = ["Cell", "fixed"]

DIGITS = 9  # of a value; what lies beyond is an error of floating point, which must not decide a tie
NAMES = ("mean", "std", "low", "high", "p", "p_adjusted", "p_folds")


class Cell(str):
    """A text and the numbers that it shows, in full precision.

    Attributes:
        values: by name, such as `mean`, `low` and `high`; without those that were not computed.

    Example:
        >>> cell = Cell.of(".541", {"mean": 0.5412345, "low": None})
        >>> cell, cell.values
        ('.541', {'mean': 0.5412345})
    """

    values: Mapping[str, float]

    @classmethod
    def of(cls, text: str, numbers: Mapping[str, Any]) -> Cell:
        """A text and the numbers of an estimate."""
        cell = cls(text)
        cell.values = {name: numbers[name] for name in NAMES if numbers.get(name) is not None}
        return cell


def fixed(value: float, places: int) -> str:
    """A number with so many decimals; a tie, as far as nine digits tell, goes to the even one.

    Two ways of computing one number, which differ by an error of floating point, so give one text.

    Example:
        >>> fixed(0.0225, 3), fixed(0.1 - 0.0775, 3), fixed(0.0235, 3), fixed(136.61, 1)
        ('0.022', '0.022', '0.024', '136.6')
    """
    if value != value or value in (float("inf"), float("-inf")):
        return f"{value:f}"
    number = Decimal(f"{value:.{DIGITS}f}")
    return f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"
