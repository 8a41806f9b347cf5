"""Evaluations are written without plots here."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def pages_without_plots(no_plots) -> None:
    """Whole evaluations with plots are written by the tests of scripts."""
