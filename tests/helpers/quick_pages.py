"""Pages and folders without plots, which take seconds and have tests of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from ccalign_jax.evaluation import write as evaluation_write
from ccalign_jax.reporting import reports
from ccalign_jax.study import write


@contextmanager
def without_plots() -> Iterator[None]:
    """Leave the plots out of what is written here."""
    with ExitStack() as patches:
        for module in (reports, write, evaluation_write):
            patches.enter_context(patch.object(module, "make_plots", lambda panels, summary: {}))
        yield
