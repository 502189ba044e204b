"""Counts and lists as people read them."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """`1 host`, `4 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
