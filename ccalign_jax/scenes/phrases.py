"""Noun phrases of the languages with articles or cases: a count, a colour and a noun that agree."""

from __future__ import annotations

import re
from collections.abc import Callable

from ccalign_jax.scenes.lexicons import Lexicon
from ccalign_jax.scenes.scene import Group

__all__ = ["PHRASES", "Phrase"]

# The words of a group; and whether it stands in the case that prepositions ask for.
Phrase = Callable[[Lexicon, Group, bool], str]


def english(words: Lexicon, group: Group, oblique: bool) -> str:
    """A red car, an orange car, two red cars."""
    del oblique
    noun = words.nouns[group.noun][group.count > 1]
    phrase = f"{words.numbers[group.count][0]} {words.colours[group.colour][0]} {noun}"
    return re.sub(r"^a (?=[aeiou])", "an ", phrase)


def romance(words: Lexicon, group: Group, oblique: bool) -> str:
    """Una casa roja, dos casas azules, tres coches naranja."""
    del oblique
    gender, *nouns = words.nouns[group.noun]
    feminine, plural = gender == "f", group.count > 1
    number = words.numbers[group.count][-1 if feminine else 0]
    colours = words.colours[group.colour]
    form = {1: 0, 2: plural, 4: 2 * plural + feminine}[len(colours)]
    return f"{number} {nouns[plural]} {colours[form]}"


def italian(words: Lexicon, group: Group, oblique: bool) -> str:
    """Un'anatra rossa."""
    return re.sub(r"^una (?=[aeiou])", "un'", romance(words, group, oblique))


def german(words: Lexicon, group: Group, oblique: bool) -> str:
    """Ein rotes Haus, einem roten Haus, zwei rote Häuser, zwei roten Häusern."""
    gender, *nouns = words.nouns[group.noun]
    column, plural = "mfn".index(gender), group.count > 1
    numbers = words.numbers[group.count]
    number = numbers[0] if plural else numbers[column + 3 * oblique]
    stem, *indeclinable = words.colours[group.colour]
    ending = "en" if oblique else "e" if plural else ("er", "e", "es")[column]
    return f"{number} {stem}{'' if indeclinable else ending} {nouns[2 * plural + oblique]}"


def arabic(words: Lexicon, group: Group, oblique: bool) -> str:
    """One has no number, two is the dual, three to ten take the plural, and twelve the accusative singular.

    The adjective follows and agrees; plurals of things and animals take it in the feminine singular. Three to ten have
    the gender that the noun has not.
    """
    gender, singular, dual, plural = words.nouns[group.noun]
    feminine = gender == "f"
    colours = words.colours[group.colour]
    if group.count == 1:
        return f"{singular} {colours[feminine]}"
    if group.count == 2:
        pair = f"{dual} {colours[2 + feminine]}"
        return re.sub(r"ان\b", "ين", pair) if oblique else pair
    numbers = words.numbers[group.count]
    if group.count <= 10:
        return f"{numbers[feminine]} {plural} {colours[True]}"
    number, colour = numbers[feminine + 2 * oblique], colours[feminine]
    if feminine:
        return f"{number} {singular} {colour}"
    # Colours of the pattern أفعل have no nunation.
    return f"{number} {singular}ًا {colour if colour.startswith('أ') else colour + 'ًا'}"


PHRASES: dict[str, Phrase] = {
    "ar": arabic,
    "de": german,
    "en": english,
    "es": romance,
    "fr": romance,
    "it": italian,
    "pt": romance,
}
