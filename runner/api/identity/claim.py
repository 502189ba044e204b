"""What a request says of itself: the key that signed it, when, for which service, and over which headers. Checks no key.

Source: AWS Signature Version 4, the Authorization header.
"""

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple, NoReturn

from runner.errors import Refused
from runner.ports.identity import SignedRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
_WELL_FORMED = re.compile(
    rf"{_ALGORITHM} +Credential=(\w{{1,128}})/(\d{{8}})/([\w-]{{1,64}})/([\w-]{{1,64}})/aws4_request *, *"
    r"SignedHeaders=([!-+\--~]{1,4096}) *, *Signature=([0-9a-f]{64})",
    re.ASCII,
)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_TARGET_OF_URL = re.compile(r"[!-~]*", re.ASCII)  # printable, no blanks


class Claim(NamedTuple):
    """*date*, *region*, *service*: the credential's scope. *signed*: headers by name, sorted, as text.

    *timestamp*: as `20260101T000000Z`; *at* is the same as a time.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    at: dt.datetime
    signed: dict[str, str]
    signature: str


def claim(request: SignedRequest) -> Claim:
    """Raises `Refused`: MissingAuthenticationToken, or IncompleteSignature with what is wrong. Never shows a signature."""
    headers, repeated = _by_name(request)
    if (authorization := headers.get("authorization")) is None:
        _unsigned(request)
    if "authorization" in repeated:
        _incomplete("there is more than one Authorization header")
    found = _WELL_FORMED.fullmatch(authorization)
    if found is None:
        _explain(authorization)
    key, date, region, service, names, signature = found.groups()
    signed = _signed(names.lower().split(";"), headers, repeated)
    timestamp, at = _time(headers, signed)
    if "#" in request.path or not _TARGET_OF_URL.fullmatch(request.path) or not _TARGET_OF_URL.fullmatch(request.query):
        _incomplete("the URL holds characters that should be percent-encoded")
    if date != timestamp[:8]:
        _incomplete(f"the date in the credential's scope, {date}, is not that of the request, {timestamp}")
    return Claim(key, date, region, service, timestamp, at, signed, signature)


def _by_name(request: SignedRequest) -> tuple[dict[str, str], set[str]]:
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in request.headers:
        key = name.decode("latin-1")
        if key in headers:
            repeated.add(key)
        headers[key] = _text(value)
    return headers, repeated


def _text(value: bytes) -> str:
    """A header's value. Clients sign the text, and send it as UTF-8 or Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _signed(names: list[str], headers: Mapping[str, str], repeated: set[str]) -> dict[str, str]:
    signed: dict[str, str] = {}
    for name in sorted(names):
        if name not in headers:
            _incomplete(f"SignedHeaders names {name[:60]!r}, which the request does not have")
        if name in repeated or name in signed:
            _incomplete(f"the signed header {name[:60]!r} is there more than once")
        signed[name] = headers[name]
    for name in ("host", "x-amz-target"):
        if name not in signed and (name in headers or name == "host"):
            _incomplete(f"the header {name!r} must be signed")
    return signed


def _time(headers: Mapping[str, str], signed: Mapping[str, str]) -> tuple[str, dt.datetime]:
    name = "x-amz-date" if "x-amz-date" in headers else "date"
    if name not in signed:
        _incomplete("the request needs a signed X-Amz-Date or Date header")
    at = _parsed(name, signed[name].strip())
    if at is None:
        _incomplete(f"the header {name!r} is no time; the form is 20260101T000000Z")
    return at.strftime("%Y%m%dT%H%M%SZ"), at


def _parsed(name: str, sent: str) -> dt.datetime | None:
    try:
        if _TIMESTAMP.fullmatch(sent):
            return dt.datetime.fromisoformat(sent)
        if name == "date":
            at = parsedate_to_datetime(sent)
            return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def _unsigned(request: SignedRequest) -> NoReturn:
    if "x-amz-signature=" in request.query.lower():
        why = "presigned URLs are not accepted here; send the signature in the Authorization header"
    else:
        why = "the request is not signed; give the client an access key (`penstock keys create` makes one)"
    raise Refused("MissingAuthenticationTokenException", why)


def _explain(authorization: str) -> NoReturn:
    """Say what is wrong with an Authorization header, without repeating it."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != _ALGORITHM:
        _incomplete(f"the Authorization header must be {_ALGORITHM}, which every AWS SDK can sign with")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            _incomplete(f"the Authorization header has no {name}")
    if len(parts["Credential"].split("/")) != 5 or not parts["Credential"].endswith("/aws4_request"):
        _incomplete("the Credential must have the form KEY/DATE/REGION/SERVICE/aws4_request")
    _incomplete(
        "the Authorization header is malformed: Credential, SignedHeaders and Signature are wanted, in this order"
    )


def _incomplete(message: str) -> NoReturn:
    raise Refused("IncompleteSignatureException", message)
