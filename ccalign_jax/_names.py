"""Names that results share: retrieval tasks, arms, ordered pairs of languages."""

from __future__ import annotations

DIRECTIONS = ("t2i", "i2t")
BOTH = "both"  # the mean of the two directions
PAIR_TASKS = ("t2t", "via_image", "via_image_soft", "via_image_oracle")  # between two languages
IDENTITY = "identity"  # the embeddings as they are
CLOSED = "closed_form"  # the loss of what is solved
ALL_TEACHERS = "all"  # the mean of the teacher rows of all languages
UNMAPPED = " (unmapped)"  # after the name of a language whose captions are left as they are
PAIR = "->"
MAX_FAMILIES = 12  # of more, only the best of each pivot are shown and measured where that is costly


def pair_name(query: str, gallery: str) -> str:
    """The name of an ordered pair of languages.

    Example:
        >>> pair_name("de", "en")
        'de->en'
    """
    return f"{query}{PAIR}{gallery}"


def split_pair(name: str) -> tuple[str, str]:
    """The languages of the query and of the gallery.

    Example:
        >>> split_pair("de->en")
        ('de', 'en')
    """
    query, _, gallery = name.partition(PAIR)
    return query, gallery
