"""Shorter rows: fewer numbers by truncation, PCA or a shared rotation, and fewer bits for each."""

from ccalign_jax.compression.codes import CODES as CODES
from ccalign_jax.compression.codes import BinaryCode as BinaryCode
from ccalign_jax.compression.codes import Float32Code as Float32Code
from ccalign_jax.compression.codes import Int8Code as Int8Code
from ccalign_jax.compression.reductions import REDUCTIONS as REDUCTIONS
from ccalign_jax.compression.reductions import Reduction as Reduction
from ccalign_jax.compression.reductions import fit_reduction as fit_reduction
