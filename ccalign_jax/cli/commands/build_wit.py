"""Make a data set of WIT's TSV files: captions in several languages, and downloaded images.

ccalign build_wit --tsv='wit_v1.train.*.tsv.gz' --contact=you@example.org --out=wit
ccalign build_wit --out=wit --resume          # go on, and try temporary failures again

`ccalign extract --images=wit/images --captions=wit/captions.jsonl` reads it. failures.csv lists what could not be
downloaded.
"""

import dataclasses
import shutil
from pathlib import Path

from absl import flags

from ccalign_jax.cli.flags import define, given
from ccalign_jax.cli.program import command
from ccalign_jax.cli.signals import resumable
from ccalign_jax.wit import DownloadConfig, WitConfig

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define(WitConfig)
    define(DownloadConfig)
    flags.DEFINE_string("out", None, "folder for captions and images", required=True)
    flags.DEFINE_bool("images", True, "download the images, too")
    flags.DEFINE_bool("resume", False, "go on with what is in --out; flags not given are taken from it")
    flags.DEFINE_bool("overwrite", False, "make the captions in --out again; images that are there are kept")


def main() -> Path:
    """Make captions, download images, count what is left out."""
    from ccalign_jax.reporting import count_words, progress_bar
    from ccalign_jax.wit import WitFolder, download_images
    from ccalign_jax.wit.build import read_build
    from ccalign_jax.wit.download import IMAGES, user_agent
    from ccalign_jax.wit.failures import FAILURES
    from ccalign_jax.wit.img2dataset import PROGRAM, run_img2dataset

    config, download, out = WitConfig(), DownloadConfig(**given(DownloadConfig)), Path(FLAGS.out)
    if FLAGS.resume and (stored := read_build(out)) is not None:
        config = WitConfig.of(stored["config"], out)
        download = dataclasses.replace(DownloadConfig.of(stored["download"], out), **given(DownloadConfig))
    config = dataclasses.replace(config, **given(WitConfig))
    other = download.downloader == PROGRAM or (download.downloader == "auto" and shutil.which(PROGRAM) is not None)
    if FLAGS.images and not other:
        user_agent(download.contact)
    with WitFolder(out, config, download, resume=FLAGS.resume, overwrite=FLAGS.overwrite) as folder:
        resumable(out)
        with progress_bar("steps") as progress:
            counts = folder.make_captions(progress)
        print_counts(counts, config)
        if not FLAGS.images:
            print(f"{out} has captions and {out}/urls.tsv; --resume --images downloads the images")
            return out
        if other:
            print(
                f"note: {PROGRAM} downloads; unlike --downloader=own it neither waits as hosts ask nor checks addresses"
            )
            found = run_img2dataset(out, download)
        else:
            with progress_bar("images") as progress:
                found = download_images(out, download, progress=progress)
    print(f"{out / IMAGES} has {found.there} of {count_words(counts['images'], 'image')}, {found.new} of them new")
    for reason, count in found.failed.items():
        print(f"note: not downloaded {count}: {reason}")
    if found.failed:
        print(f"note: what was not downloaded is listed in {out / FAILURES}")
    print(f"next: {command('extract')} --images={out / IMAGES} --captions={out / 'captions.jsonl'}")
    return out


def print_counts(counts: dict, config: WitConfig) -> None:
    """What the captions are of, and what was left out."""
    from ccalign_jax.reporting import count_words

    captions = ", ".join(f"{language} {count}" for language, count in counts["captions"].items())
    splits = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    print(f"{count_words(counts['images'], 'image')} with captions in {config.needed} languages at least: {captions}")
    groups = f"{count_words(counts['groups'], 'group')} of images that share pages, the largest of "
    print(f"{groups}{counts['largest_group']}; {splits}")
    for reason, count in counts["left_out"].items():
        print(f"note: left out {count_words(count, 'line')}: {reason}")
