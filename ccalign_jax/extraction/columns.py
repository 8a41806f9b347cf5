"""Which columns of a record name the image, its split and its captions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ccalign_jax.errors import InputError
from ccalign_jax.extraction.items import Row

__all__ = ["CAPTIONS", "GROUP", "IMAGE", "LANGUAGE", "SPLIT", "Columns", "is_code", "parse_row"]

IMAGE, SPLIT, GROUP, LANGUAGE, CAPTIONS = "image", "split", "group", "language", "captions"
CAPTION_COLUMNS = ("caption", CAPTIONS, "text", "txt")  # of captions whose language is not their name
CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")  # of a language: de, zh-Hant, pt_BR
NAMED = re.compile(rf"(?:{'|'.join(CAPTION_COLUMNS)})[-_.]({CODE.pattern})")  # caption_de, txt.de
NUMBERED = re.compile(r"captions?[-_.]?\d+")  # caption_0, caption_1, ...
NO_LANGUAGES = frozenset({"idx", "key", "uid", "url"})  # names like codes, but for other things


class Columns(NamedTuple):
    """What a record says.

    Attributes:
        key: of the image, or the name of its file.
        split: None where there is none.
        captions: by language.
        unknown: columns that are none of these.
        group: None where there is none, or it is no whole number.
    """

    key: str
    split: str | None
    captions: dict[str, list[str]]
    unknown: list[str]
    group: int | None = None


def parse_row(row: Row, languages: Sequence[str] | None = None) -> Columns:
    """Sort the columns of a record.

    Captions are in columns named by their language (`de`, `caption_de`, `txt.de`), in a mapping `captions`, or in
    `caption`, `captions`, `text` or `caption_0`, `caption_1`, ...; then `language` says which, or the only one of
    `languages`.

    Args:
        row: with values by column.
        languages: to use; None for all. They may be columns whose names are no codes.

    Raises:
        InputError: no name of an image, something else than text, or captions of an unknown language.

    Example:
        >>> found = parse_row(Row("a.csv line 2", {"image": "dog.jpg", "de": "ein Hund", "width": "640"}))
        >>> found.key, found.captions, found.unknown
        ('dog.jpg', {'de': ['ein Hund']}, ['width'])
    """
    record = row.record
    key, split = record.get(IMAGE), record.get(SPLIT)
    if not isinstance(key, str) or not key or not _encodable(key) or "\0" in key:
        raise InputError(f"{row.place}: image is {key!r}; give the name of its file")
    if split is not None and not isinstance(split, str):
        raise InputError(f"{row.place}: split is {split!r}; give its name")
    group = _whole_number(record.get(GROUP))
    named = (IMAGE, SPLIT) if group is None else (IMAGE, SPLIT, GROUP)
    rest = {name: value for name, value in record.items() if name not in named}
    captions: dict[str, list[str]] = {}
    unknown = []
    for language, name, value in _captions(row.place, rest, languages):
        if language is None:
            unknown.append(name)
        elif (languages is None or language in languages) and (several := _texts(row.place, name, value)):
            captions.setdefault(language, []).extend(several)
    return Columns(key, split, captions, unknown, group)


Found = Iterator[tuple[Any, str, Any]]


def _captions(place: str, rest: Mapping[str, Any], languages: Sequence[str] | None) -> Found:
    """Language, column and value of all columns; the language of what is no caption is None."""
    if LANGUAGE in rest:
        if not isinstance(rest[LANGUAGE], str):
            raise InputError(f"{place}: language is {rest[LANGUAGE]!r}; give its code")
        yield from _unnamed(rest, rest[LANGUAGE], (LANGUAGE,))
        return
    if isinstance(rest.get(CAPTIONS), Mapping):
        yield from ((language, language, value) for language, value in rest[CAPTIONS].items())
        yield from ((None, name, None) for name in rest if name != CAPTIONS)
        return
    codes = {name: code for name, value in rest.items() if (code := _code(name, value, languages))}
    bare = [name for name, value in rest.items() if _is_bare(name) and value is not None]
    if not bare or any(rest[name] is not None for name in codes):
        yield from ((codes.get(name), name, value) for name, value in rest.items())
        return
    if languages is None or len(languages) != 1:
        raise InputError(f"{place}: {bare[0]} does not say its language; give one, such as --languages=en")
    yield from _unnamed(rest, languages[0], ())


def _unnamed(rest: Mapping[str, Any], language: Any, others: Sequence[str]) -> Found:
    """The captions of a record whose columns name no language."""
    bare = [name for name in rest if _is_bare(name)]
    first = next((name for name in CAPTION_COLUMNS if rest.get(name) is not None), None)
    used = [first] if first else sorted((name for name in bare if NUMBERED.fullmatch(name)), key=_number)
    if others and not bare:
        yield language, others[0], ""
    yield from ((language, name, rest[name]) for name in used)
    yield from ((None, name, None) for name in rest if name not in (*used, *others, *bare))


def _code(name: str, value: Any, languages: Sequence[str] | None) -> str | None:
    """The language that a column is named by."""
    if name == "id" and isinstance(value, int):  # a number, not a caption in Indonesian
        return None
    if name in (languages or ()) or is_code(name):
        return name
    named = NAMED.fullmatch(name)
    return named[1] if named and isinstance(value, str | list | None) else None


@lru_cache(maxsize=1024)  # of every row anew
def is_code(name: str) -> bool:
    """Whether a column's name is a language's code.

    Example:
        >>> [is_code(name) for name in ("de", "zh-Hant", "url", "txt", "width")]
        [True, True, False, False, False]
    """
    return bool(CODE.fullmatch(name)) and name not in NO_LANGUAGES and not _is_bare(name)


@lru_cache(maxsize=1024)
def _is_bare(name: str) -> bool:
    return name in CAPTION_COLUMNS or bool(NUMBERED.fullmatch(name))


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name))


def _texts(place: str, name: str, value: Any) -> list[str]:
    several = value if isinstance(value, list) else [] if value is None else [value]
    several = [one for one in several if one is not None]
    if not isinstance(name, str) or not all(isinstance(one, str) for one in several):
        raise InputError(f"{place}: {name} is {value!r}; give a caption, or a list of captions")
    return several


def _whole_number(value: Any) -> int | None:
    given = str(value)
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None


def _encodable(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False
