"""How sure a figure or a change is: resamples of clusters, sign flips, many tests at once, folds, and the verdict."""

from ccalign_jax.statistics._bootstrap import bootstrap_weights as bootstrap_weights
from ccalign_jax.statistics._bootstrap import percentile_interval as percentile_interval
from ccalign_jax.statistics._bootstrap import ratio_draws as ratio_draws
from ccalign_jax.statistics._bootstrap import weighted_median_draws as weighted_median_draws
from ccalign_jax.statistics._bootstrap import weighted_medians as weighted_medians
from ccalign_jax.statistics._draws import ALPHA as ALPHA
from ccalign_jax.statistics._draws import DRAWS as DRAWS
from ccalign_jax.statistics._draws import FLIPS as FLIPS
from ccalign_jax.statistics._draws import LEVEL as LEVEL
from ccalign_jax.statistics._draws import MEDIAN_DRAWS as MEDIAN_DRAWS
from ccalign_jax.statistics._folds import corrected_resampled_t as corrected_resampled_t
from ccalign_jax.statistics._multiplicity import holm as holm
from ccalign_jax.statistics._permutation import Alternative as Alternative
from ccalign_jax.statistics._permutation import sign_flip_test as sign_flip_test
from ccalign_jax.statistics._permutation import sign_flips as sign_flips
from ccalign_jax.statistics._stretch import interval_stretch as interval_stretch
from ccalign_jax.statistics._stretch import ratio_residuals as ratio_residuals
from ccalign_jax.statistics._verdict import Verdict as Verdict
from ccalign_jax.statistics._verdict import verdict as verdict
