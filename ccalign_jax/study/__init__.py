"""A study from data to results: configuration, trials, runs, and what they leave behind."""

from ccalign_jax.options import SweepConfig as SweepConfig
from ccalign_jax.study.api import sweep as sweep
from ccalign_jax.study.fit import fit as fit
from ccalign_jax.study.inputs import read_data as read_data
from ccalign_jax.study.sweep_result import SweepResult as SweepResult
