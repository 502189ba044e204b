"""When to ask a repository next. Pure."""

import datetime as dt

from runner.plan.backoff import Random, backoff, jittered

LONGEST_WAIT = dt.timedelta(minutes=15)
AT_ONCE = 16  # repositories that are asked without any delay at the start
PER_SECOND = 100  # repositories that are asked for the first time, at most, while their interval allows it
RARELY = 10  # intervals between polls of a repository whose webhook works


def first_wait(index: int, count: int, interval: dt.timedelta) -> dt.timedelta:
    """How long the repository *index* (from 0) of *count* waits for its first look.

    A few wait for nothing. Of many, each waits its turn, so that a server is not asked for all of them in one second;
    whatever their number, all have been asked after one *interval*.
    """
    if index < AT_ONCE:
        return dt.timedelta(0)
    return min(dt.timedelta(seconds=index / PER_SECOND), interval * (index / count))


def next_wait(interval: dt.timedelta, *, failures: int, told: bool, random: Random) -> dt.timedelta:
    """How long until the next look, after so many *failures* in a row. *told*: its webhook speaks before polls see."""
    if failures:
        return backoff(failures, first=interval, most=LONGEST_WAIT, random=random)
    if told:
        return jittered(max(interval, min(interval * RARELY, LONGEST_WAIT)), random)
    return jittered(interval, random)


def wait_of_throttled(asked: dt.timedelta, interval: dt.timedelta, random: Random) -> dt.timedelta:
    """A server that serves many repositories asked for a pause: after it, they come back one by one, not together."""
    return asked + interval * random()
