"""How long a service wants to be left alone: what its answer says of it. Pure.

Source: RFC 9110, section 10.2.3 (Retry-After); GitHub's REST documentation, "Rate limits" (x-ratelimit-*, 403 and 429).
"""

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

UNTOLD = dt.timedelta(minutes=1)  # where a service says "too many" and not until when
LONGEST = dt.timedelta(hours=1)  # no service silences us for longer without being asked again
_SHORTEST = dt.timedelta(seconds=1)


def pause(status: int, headers: Mapping[str, str], now: dt.datetime) -> dt.timedelta | None:
    """The pause that an answer asks for, None when it asks for none. *headers*: names in lower case."""
    if status not in (403, 429, 503):
        return None
    told = _retry_after(headers.get("retry-after", ""), now)
    if told is None and status != 503 and headers.get("x-ratelimit-remaining", "").strip() == "0":
        told = _until(headers.get("x-ratelimit-reset", ""), now)
    if told is None:
        return UNTOLD if status == 429 else None
    return min(max(told, _SHORTEST), LONGEST)


def _retry_after(text: str, now: dt.datetime) -> dt.timedelta | None:
    if text.strip().isdecimal():
        return dt.timedelta(seconds=min(int(text[:12]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - now


def _until(text: str, now: dt.datetime) -> dt.timedelta | None:
    if not text.strip().isdecimal():
        return UNTOLD
    return dt.timedelta(seconds=min(max(int(text[:12]) - now.timestamp(), 0.0), 10**9))
