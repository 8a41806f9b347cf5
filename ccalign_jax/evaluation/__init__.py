"""Learned maps on data: rows through a map, retrieval before and after it, and the comparison of finished runs."""

from ccalign_jax.evaluation.apply import apply as apply
from ccalign_jax.evaluation.apply import map_rows as map_rows
from ccalign_jax.evaluation.apply import read_map as read_map
from ccalign_jax.evaluation.apply import take_split as take_split
from ccalign_jax.evaluation.calibrate import ScoreCalibration as ScoreCalibration
from ccalign_jax.evaluation.calibrate import calibrate as calibrate
from ccalign_jax.evaluation.calibrate import read_calibration as read_calibration
from ccalign_jax.evaluation.compare import compare as compare
from ccalign_jax.evaluation.evaluate import Evaluation as Evaluation
from ccalign_jax.evaluation.evaluate import evaluate as evaluate
from ccalign_jax.evaluation.shorten import Shortening as Shortening
from ccalign_jax.evaluation.shorten import shorten as shorten
