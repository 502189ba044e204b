"""One request to a forge's REST API, and what its answer means. Tries once: what fails is for the caller to repeat."""

import contextlib
import datetime as dt
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from runner.errors import Throttled, WorldError
from runner.model.value import from_json, to_json
from runner.plan.throttling import UNTOLD, pause

CONNECT = 4.0  # seconds
_LONGEST = 16 * 1024 * 1024  # bytes of an answer: a page of a hundred long comments
_LATER = (408, 425)
NOT_MODIFIED = 304  # to a request with a condition: what is there is as it was


class Answer(NamedTuple):
    """*headers*: names in lower case. *content*: of JSON; None where the body is empty or something else."""

    status: int
    headers: Mapping[str, str]
    content: Any

    @property
    def said(self) -> str:
        """The forge's own words, in one line; "" where there are none."""
        content = self.content if isinstance(self.content, dict) else {}
        errors = content.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else content.get("error")
        detail = first.get("message") if isinstance(first, dict) else first
        words = (text for text in (content.get("message"), detail) if isinstance(text, str))
        return " ".join(": ".join(words).split())[:300]


class Refusal(WorldError):
    """An answer that is no success, with its *status* and *content*: one 404 is a repository, another an endpoint."""

    def __init__(self, message: str, answer: Answer, *, retryable: bool) -> None:
        super().__init__(message, retryable=retryable)
        self.status, self.content = answer.status, answer.content


class Api(NamedTuple):
    """Where it is: *url* without a slash at its end. *ca_file*: certificates to trust beside the system's."""

    url: str
    ca_file: str | None = None


class Deadline:
    """A time that all requests of one message share. *seconds*: from now."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds. Raises `WorldError` when the time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise WorldError("the forge took too long to answer")
        return left


def ask(api: Api, method: str, path: str, headers: Mapping[str, str], body: object, deadline: Deadline) -> Answer:
    """Whatever the answer is, redirections too: a token goes to the configured address or nowhere.

    Raises `WorldError` where no answer comes in time, and `UserError` for an address where no API may be.
    """
    from urllib3.exceptions import HTTPError
    from urllib3.util import Timeout, parse_url

    from runner.outgoing.connection import Limits, pool, reason

    left = deadline.left()
    sent = {"User-Agent": "penstock", "Accept": "application/json", **headers}
    if body is not None:
        sent["Content-Type"] = "application/json"
    try:
        place = parse_url(api.url + path)
        with pool(place, Limits(min(CONNECT, left), left), ca_file=api.ca_file) as connections:
            answer = connections.urlopen(
                method,
                place.request_uri,
                body=None if body is None else to_json(body).encode(),
                headers=sent,
                retries=False,
                redirect=False,
                timeout=Timeout(connect=min(CONNECT, left), read=left),
                preload_content=False,
            )
            with contextlib.closing(answer):
                raw = answer.read(_LONGEST, decode_content=True)
                known = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, known, _parsed(raw))
    except (HTTPError, OSError, UnicodeError) as error:
        trusted = f" (ca_file {api.ca_file})" if api.ca_file else ""
        raise WorldError(f"{api.url}{trusted} could not be reached: {reason(error)}") from error


def check(answer: Answer, what: str, now: dt.datetime) -> None:
    """Raise for an answer that is no success. *what*: was asked for, for people.

    `Throttled` where the forge wants to be left alone, else `Refusal`. What somebody can mend meanwhile (a token, a
    permission) is retryable; what can never be right (a commit that is not there) is not.
    """
    status = answer.status
    if 200 <= status < 300 or status == NOT_MODIFIED:
        return
    wait = pause(status, answer.headers, now)
    if wait is None and status == 403 and "rate limit" in answer.said.lower():
        wait = UNTOLD
    words = f": {answer.said}" if answer.said else ""
    if wait is not None:
        raise Throttled(f"{what} must wait {wait.total_seconds():.0f} s (status {status}{words})", wait)
    hint = _HINTS.get(status, "")
    if 300 <= status < 400:
        hint = "; it has moved: configure its new address"
    may_pass = status < 400 or status >= 500 or status in _HINTS or status in _LATER
    raise Refusal(f"{what} was refused (status {status}{words}){hint}", answer, retryable=may_pass)


_HINTS = {
    401: "; is the token expired or revoked? Put a new one in its place, what waits is then delivered",
    403: "; may the token do that?",
    404: "; is it there, and may the token see it?",
}


def clock_hint(answer: Answer, now: dt.datetime) -> str:
    """How wrong our clock is, by the forge's; "" when it is right to a minute."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return ""
    off = (now - theirs).total_seconds() if theirs.tzinfo else 0.0
    if abs(off) < 60:
        return ""
    return f"; this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the forge's: set it right"


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw, Any)
    except ValueError:
        return None
