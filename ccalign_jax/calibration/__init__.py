"""Scores with a meaning: probabilities of a match, thresholds, and retrieval sets with guaranteed coverage."""

from ccalign_jax.calibration.conformal import conformal_bound as conformal_bound
from ccalign_jax.calibration.conformal import coverage_band as coverage_band
from ccalign_jax.calibration.counts import ScoreCounts as ScoreCounts
from ccalign_jax.calibration.counts import count_scores as count_scores
from ccalign_jax.calibration.isotonic import Isotonic as Isotonic
from ccalign_jax.calibration.isotonic import fit_isotonic as fit_isotonic
from ccalign_jax.calibration.platt import Platt as Platt
from ccalign_jax.calibration.platt import fit_platt as fit_platt
from ccalign_jax.calibration.reliability import Reliability as Reliability
from ccalign_jax.calibration.reliability import calibration_error as calibration_error
from ccalign_jax.calibration.reliability import first_half as first_half
from ccalign_jax.calibration.reliability import reliability as reliability
from ccalign_jax.calibration.softmax import SoftmaxCalibration as SoftmaxCalibration
from ccalign_jax.calibration.softmax import fit_softmax as fit_softmax
from ccalign_jax.calibration.thresholds import OperatingPoints as OperatingPoints
from ccalign_jax.calibration.thresholds import operating_points as operating_points
from ccalign_jax.calibration.thresholds import threshold_at_precision as threshold_at_precision
from ccalign_jax.calibration.thresholds import translate_threshold as translate_threshold
