"""Inference for metrics: cluster bootstrap, sign-flip tests, multiple testing, tests over folds, and verdicts."""

from ccalign_jax.statistics._bootstrap import bootstrap_weights as bootstrap_weights
from ccalign_jax.statistics._bootstrap import percentile_interval as percentile_interval
from ccalign_jax.statistics._bootstrap import ratio_replicates as ratio_replicates
from ccalign_jax.statistics._constants import ALPHA as ALPHA
from ccalign_jax.statistics._constants import FLIPS as FLIPS
from ccalign_jax.statistics._constants import LEVEL as LEVEL
from ccalign_jax.statistics._constants import MEDIAN_REPLICATES as MEDIAN_REPLICATES
from ccalign_jax.statistics._constants import REPLICATES as REPLICATES
from ccalign_jax.statistics._folds import corrected_resampled_t as corrected_resampled_t
from ccalign_jax.statistics._medians import weighted_medians as weighted_medians
from ccalign_jax.statistics._multiplicity import holm as holm
from ccalign_jax.statistics._permutation import Alternative as Alternative
from ccalign_jax.statistics._permutation import sign_flip_test as sign_flip_test
from ccalign_jax.statistics._permutation import sign_flips as sign_flips
from ccalign_jax.statistics._stretch import interval_stretch as interval_stretch
from ccalign_jax.statistics._stretch import ratio_residuals as ratio_residuals
from ccalign_jax.statistics._verdict import Verdict as Verdict
from ccalign_jax.statistics._verdict import verdict as verdict
