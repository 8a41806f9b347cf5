"""A data set from WIT, the Wikipedia-based image text corpus: captions of its TSV files, and downloaded images."""

from ccalign_jax.wit.build import WitFolder as WitFolder
from ccalign_jax.wit.download import download_images as download_images
from ccalign_jax.wit.options import DownloadConfig as DownloadConfig
from ccalign_jax.wit.options import WitConfig as WitConfig
