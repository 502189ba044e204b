"""Tag filters: how deployment groups name their hosts. Keys and values are case-sensitive.

Source: CodeDeploy user guide, "Tagging instances for deployment groups".
"""

from collections.abc import Mapping
from typing import TypeAlias

from runner.model.value import Value


class TagFilter(Value, frozen=True, kw_only=True):
    """Matches one tag. *key* None: any key has the value (VALUE_ONLY); *value* None: the key has any (KEY_ONLY).

    In a value, `*` stands for any text.
    """

    key: str | None = None
    value: str | None = None

    def matches(self, tags: Mapping[str, str]) -> bool:
        return any(self.key in (None, key) and self._has(value) for key, value in tags.items())

    def _has(self, value: str) -> bool:
        return self.value in (None, value) or (
            "*" in (self.value or "") and _fits(value, (self.value or "").split("*"))
        )

    def __str__(self) -> str:
        return f"{self.key or '*'}={'*' if self.value is None else self.value}"


TagSet: TypeAlias = tuple[tuple[TagFilter, ...], ...]
"""Groups of filters: a host must match at least one filter of every group."""


def matches(tag_set: TagSet, tags: Mapping[str, str]) -> bool:
    return all(any(each.matches(tags) for each in group) for group in tag_set)


def _fits(text: str, pieces: list[str]) -> bool:
    """Whether *text* is the *pieces*, at least two, with anything between them. Each is taken where it comes first."""
    first, *middle, last = pieces
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
