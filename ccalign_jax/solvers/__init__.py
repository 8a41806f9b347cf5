"""Closed forms from streamed second moments: ridge, Procrustes, canonical correlation, and consensus of many views.

All of it is NumPy in float64 on the host, pure functions of arrays in and out, and neither jitted nor vmapped: for real
embeddings, float32 eigenvectors leave a ridge solution right to two or three decimals, and a 512 × 512
eigendecomposition takes a tenth of a second. Results are cast to float32 where they become parameters of an aligner.
"""

from ccalign_jax.solvers.cca import CCAPath as CCAPath
from ccalign_jax.solvers.cca import cca_map as cca_map
from ccalign_jax.solvers.cca import cca_path as cca_path
from ccalign_jax.solvers.cca import csa_rows as csa_rows
from ccalign_jax.solvers.consensus import Consensus as Consensus
from ccalign_jax.solvers.consensus import gcca as gcca
from ccalign_jax.solvers.consensus import generalised_procrustes as generalised_procrustes
from ccalign_jax.solvers.moments import Moments as Moments
from ccalign_jax.solvers.moments import add_captions as add_captions
from ccalign_jax.solvers.moments import add_rows as add_rows
from ccalign_jax.solvers.moments import centred as centred
from ccalign_jax.solvers.moments import empty_moments as empty_moments
from ccalign_jax.solvers.moments import merge as merge
from ccalign_jax.solvers.pooled_ridge import PooledRidge as PooledRidge
from ccalign_jax.solvers.pooled_ridge import pooled_ridge as pooled_ridge
from ccalign_jax.solvers.procrustes import Procrustes as Procrustes
from ccalign_jax.solvers.procrustes import TwoSided as TwoSided
from ccalign_jax.solvers.procrustes import multi_step as multi_step
from ccalign_jax.solvers.procrustes import procrustes as procrustes
from ccalign_jax.solvers.procrustes import whitening_sides as whitening_sides
from ccalign_jax.solvers.ridge import Ridge as Ridge
from ccalign_jax.solvers.ridge import RidgePath as RidgePath
from ccalign_jax.solvers.ridge import leave_one_out as leave_one_out
from ccalign_jax.solvers.ridge import ridge_map as ridge_map
from ccalign_jax.solvers.ridge import ridge_path as ridge_path
from ccalign_jax.solvers.separation import identity_informs as identity_informs
from ccalign_jax.solvers.separation import identity_separation as identity_separation
