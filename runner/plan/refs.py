"""Refs against patterns, and tags in the order of their versions."""

import re
from collections.abc import Iterable
from functools import lru_cache


def newest_tags(tags: Iterable[str]) -> set[str]:
    """The highest of each family of *tags*: those alike up to their first digit, such as `web-v` and `api-v`.

    Runs of digits count as numbers: v1.10 comes after v1.9.
    """
    families: dict[str, list[str]] = {}
    for tag in tags:
        families.setdefault(re.split(r"\d", tag, maxsplit=1)[0], []).append(tag)
    return {max(family, key=_version_key) for family in families.values()}


def _version_key(tag: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", tag)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def matches(pattern: str, name: str) -> bool:
    """Whether *name* matches a glob: `*` and `?` stay within a path segment, `**` crosses them."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)
