"""What sweeps, runs over shards and extractions are asked for."""

from ccalign_jax.options.base import Option as Option
from ccalign_jax.options.base import Options as Options
from ccalign_jax.options.base import option as option
from ccalign_jax.options.base import with_options as with_options
from ccalign_jax.options.extraction import ExtractConfig as ExtractConfig
from ccalign_jax.options.extraction import ExtractOptions as ExtractOptions
from ccalign_jax.options.study import ARRAYS as ARRAYS
from ccalign_jax.options.study import SYNTHETIC as SYNTHETIC
from ccalign_jax.options.study import AlignConfig as AlignConfig
from ccalign_jax.options.study import SweepConfig as SweepConfig
from ccalign_jax.options.study import SweepOptions as SweepOptions
