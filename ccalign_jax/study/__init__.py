"""A study from data to results: configuration, trials, runs, and what they leave behind."""

from ccalign_jax.options import SweepConfig as SweepConfig
from ccalign_jax.study.api import fit as fit
from ccalign_jax.study.api import sweep as sweep
from ccalign_jax.study.apply import apply as apply
from ccalign_jax.study.apply import map_rows as map_rows
from ccalign_jax.study.apply import read_map as read_map
from ccalign_jax.study.apply import take_split as take_split
from ccalign_jax.study.compare import compare as compare
from ccalign_jax.study.evaluation import Evaluation as Evaluation
from ccalign_jax.study.evaluation import evaluate as evaluate
from ccalign_jax.study.plan import read_data as read_data
from ccalign_jax.study.sweep_result import SweepResult as SweepResult
