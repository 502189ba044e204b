"""Durations as people write them: `90s`, `5m`, `2h`, `1d`, and combinations with the larger unit first, `1h30m`."""

import datetime as dt
import re

from runner.errors import UserError

_FORM = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> dt.timedelta:
    """Raises `UserError` when *text* is no duration."""
    match = _FORM.fullmatch(text)
    if not text or match is None or not text.isascii():
        raise UserError(f"{text!r} is not a duration; write it as 90s, 5m, 2h, 1d or 1h30m")
    seconds = sum(int(count or 0) * unit for count, (_, unit) in zip(match.groups(), _UNITS, strict=True))
    return dt.timedelta(seconds=seconds)


def format_duration(duration: dt.timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back; fractions of a second are dropped."""
    rest = int(duration.total_seconds())
    parts = []
    for name, unit in _UNITS:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
