"""How things are written for people: times, durations, counts, and text that came from elsewhere."""

import datetime as dt
import re

from runner.model.duration import format_duration
from runner.plan.words import count as count
from runner.plan.words import listed as listed

_CONTROL = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def clock(at: dt.datetime) -> str:
    """The time of day, in this machine's time zone."""
    return f"{at.astimezone():%H:%M:%S}"


def moment(at: dt.datetime | None) -> str:
    """Date, time and zone, in this machine's time zone; `-` for None."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}" if at else "-"


def span(duration: dt.timedelta) -> str:
    """`0.4s`, `17s`, `1h30m`: two units at most."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 10:
        return f"{seconds:.1f}s"
    exact = format_duration(dt.timedelta(seconds=round(seconds)))
    return "".join(re.findall(r"\d+[dhms]", exact)[:2])


def between(start: dt.datetime | None, end: dt.datetime | None) -> str:
    """How long it took; `-` where it has not begun or not ended."""
    return span(end - start) if start and end else "-"


def ago(at: dt.datetime, now: dt.datetime) -> str:
    return f"{span(now - at)} ago"


def printable(text: str) -> str:
    """*text* without anything that could steer a terminal; scripts on hosts are not to be trusted with ours."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def one_line(text: str) -> str:
    """*text* fit for one line of a log."""
    return " ".join(printable(text).split())
