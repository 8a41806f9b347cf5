"""The words of each language, read from `lexicon/LANGUAGE.ini`."""

from __future__ import annotations

import configparser
import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib import resources

__all__ = ["LANGUAGES", "Lexicon", "read_lexicon"]

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh")

Forms = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """Words of one language by their English names; which forms they have is said in its file.

    Attributes:
        nouns: gender, counter and the like, and the forms of each noun.
        colours: forms of each adjective.
        numbers: forms of each count.
        relations: one form of each relation.
        settings: a phrase for what stands there, and perhaps one for what flies there.
    """

    nouns: Mapping[str, Forms]
    colours: Mapping[str, Forms]
    numbers: Mapping[int, Forms]
    relations: Mapping[str, str]
    settings: Mapping[str, Forms]


@cache
def read_lexicon(language: str) -> Lexicon:
    """The lexicon of one of `LANGUAGES`.

    Example:
        >>> read_lexicon("de").nouns["apple"]
        ('m', 'Apfel', 'Apfel', 'Äpfel', 'Äpfeln')
    """
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.read_string(resources.files(__package__).joinpath(f"lexicon/{language}.ini").read_text(encoding="utf-8"))
    tables = {
        name: {word: tuple(forms.split(", ")) for word, forms in parser[name].items()} for name in parser.sections()
    }
    return Lexicon(
        nouns=tables["nouns"],
        colours=tables["colours"],
        numbers={int(count): forms for count, forms in tables["numbers"].items()},
        relations={name: form for name, (form,) in tables["relations"].items()},
        settings=tables["settings"],
    )
