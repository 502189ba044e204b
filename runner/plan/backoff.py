"""How long to wait before trying the outside again: doubling, up to a ceiling, a little different each time."""

import datetime as dt
from collections.abc import Callable
from typing import TypeAlias

Random: TypeAlias = Callable[[], float]
"""A number from 0 up to 1, as `random.random` gives it."""

SPREAD = 0.1  # part of a wait by which it may be shorter or longer


def jittered(wait: dt.timedelta, random: Random) -> dt.timedelta:
    """*wait*, up to a tenth shorter or longer, so that many that began together do not stay together."""
    return wait * (1 - SPREAD + 2 * SPREAD * random())


def backoff(failures: int, *, first: dt.timedelta, most: dt.timedelta, random: Random) -> dt.timedelta:
    """The wait after so many failures in a row (1 or more): *first*, twice that, and so on, at most *most*; jittered.

    A *first* that is longer than *most* is kept as it is.
    """
    ceiling = max(first, most)
    doublings = min(failures - 1, 60)  # 2**60 of anything is past every ceiling
    return jittered(first * min(2.0**doublings, ceiling / first), random)
