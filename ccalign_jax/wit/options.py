"""What a data set from WIT is asked for: its captions, and how its images are downloaded."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from ccalign_jax.errors import InputError
from ccalign_jax.options import Options, option
from ccalign_jax.scenes.lexicons import LANGUAGES

__all__ = ["CAPTION_COLUMNS", "DownloadConfig", "WitConfig"]

CAPTION_COLUMNS = {
    "reference": "caption_reference_description",  # below the image on the page
    "attribution": "caption_attribution_description",  # on the image's own page, in any language
    "alt": "caption_alt_text_description",
}


@dataclasses.dataclass(frozen=True)
class WitConfig(Options):
    """Every option that the captions depend on; `build.json` holds them."""

    tsv: tuple[str, ...] = option((), "WIT's files, .tsv or .tsv.gz; * stands for any signs", is_path=bool)
    languages: tuple[str, ...] = option(tuple(LANGUAGES), "languages of the captions")
    min_languages: int | None = option(None, "languages in which an image needs captions [all]", minimum=1)
    prefer: tuple[str, ...] = option(tuple(CAPTION_COLUMNS), "kinds of captions, the best first")
    captions: Literal["first", "all"] = option(
        "first", "'first': the best of an image and language; 'all' that differ", words=("first", "all")
    )
    dev: float = option(0.1, "share of the images in split dev")
    test: float = option(0.1, "share of the images in split test")

    def __post_init__(self) -> None:
        super().__post_init__()
        if bad := [code for code in self.languages if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", code)]:
            raise InputError(f"--languages={bad[0]}: give codes as WIT has them, such as de,zh-TW")
        if unknown := [kind for kind in self.prefer if kind not in CAPTION_COLUMNS]:
            raise InputError(f"--prefer={unknown[0]}: it must be of {', '.join(CAPTION_COLUMNS)}")
        for name in ("languages", "prefer"):
            if len(set(getattr(self, name))) < max(len(getattr(self, name)), 1):
                raise InputError(f"--{name}={','.join(getattr(self, name))}: give each once, at least one")
        if self.needed > len(self.languages):
            raise InputError(f"--min_languages={self.min_languages}: there are {len(self.languages)} --languages")
        if not (self.dev >= 0 and self.test >= 0 and self.dev + self.test < 1):
            raise InputError(f"--dev={self.dev} --test={self.test}: shares from 0 on that leave some images to train")

    @property
    def needed(self) -> int:
        """In how many languages an image has captions at least."""
        return len(self.languages) if self.min_languages is None else self.min_languages


@dataclasses.dataclass(frozen=True)
class DownloadConfig(Options):
    """How images are downloaded."""

    contact: str | None = option(None, "your e-mail address or page, for the user agent: servers ask for it")
    downloader: Literal["auto", "own", "img2dataset"] = option(
        "auto",
        "what downloads [img2dataset where it is on the PATH, else our own]",
        words=("auto", "own", "img2dataset"),
    )
    per_host: int = option(2, "downloads at once from one host; Wikimedia allows 2", minimum=1, maximum=64)
    concurrency: int = option(16, "downloads at once", minimum=1, maximum=256)
    attempts: int = option(5, "attempts for an image, where trying again may help", minimum=1)
    timeout: float = option(60.0, "seconds for an image")
    longest_wait: float = option(600.0, "seconds that a host may ask to wait; one that asks for more is left out")
    max_megabytes: int = option(50, "largest file of an image", minimum=1, maximum=2000)
    max_megapixels: int = option(80, "largest image", minimum=1, maximum=89)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("timeout", "longest_wait"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"--{name}={getattr(self, name)}: it must be more than 0 seconds")
        if self.contact is not None and not re.fullmatch(r"[!-~]+@[!-~]+|https?://[!-~]+", self.contact):
            raise InputError(f"--contact={self.contact!r}: give an e-mail address or the address of a page")
