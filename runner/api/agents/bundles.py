"""`GET /BUCKET/KEY`: bundles for agents that take them from us, as S3 would answer.

Bare ASGI: what is streamed never is in memory as a whole. Source: Amazon S3 API reference, "GetObject", "Error responses".
"""

import asyncio
import os
import re
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from runner.api.asgi import Receive, Scope, Send
from runner.api.awsjson.exchange import signed_request
from runner.api.identity.roles import allow
from runner.errors import Refused, UserError, WorldError
from runner.log import get_logger
from runner.ports.agents import BundleAtHand, HostBundles
from runner.ports.identity import NOT_IDENTIFIED, Identity
from runner.threads import in_thread

_SERVICES = frozenset({"s3"})
_PIECE = 1 << 18  # bytes
_AT_ONCE = 64  # bundles; further ones wait their turn
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_MISSING = "there is no such bundle, or it is not part of a deployment to this host"


class _Part(NamedTuple):
    """The bytes from *start* up to *end*. *whole*: no range was asked for."""

    start: int
    end: int
    whole: bool


class _Problem(Exception):
    """An answer other than a bundle."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class Bundles:
    """The ASGI application. Only for keys of role `host`, and only what a deployment to that host needs."""

    def __init__(self, bundles: HostBundles, identity: Identity) -> None:
        self._bundles, self._identity = bundles, identity
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await self._find(scope)
            async with self._places:
                await _send_bundle(scope, send, found)
        except _Problem as problem:
            await _refuse(scope, send, problem)
        except WorldError as error:
            get_logger().warning("bundle not served", path=scope["path"], error=error.message)
            await _refuse(scope, send, _Problem(503, "ServiceUnavailable", "try again"))

    async def _find(self, scope: Scope) -> BundleAtHand:
        if scope["method"] not in ("GET", "HEAD"):
            raise _Problem(405, "MethodNotAllowed", "bundles are fetched with GET", allow="GET, HEAD")
        request = signed_request(scope, b"")
        try:
            principal = self._identity.identify(request, _SERVICES)
            allow(principal, "GetObject")
        except UserError as error:
            raise _denied(error) from None
        host, versions = principal.host or "", parse_qs(request.query).get("versionId")
        authority = _header(scope, b"host")
        path = unquote(request.path, errors="replace")
        find = partial(self._bundles.find, host, authority, path, versions[0] if versions else None)
        found = await in_thread(find)
        if found is None:
            raise _Problem(404, "NoSuchKey", _MISSING)
        return found


def _denied(error: UserError) -> _Problem:
    if error.code == "ThrottlingException":
        return _Problem(503, "SlowDown", error.message)
    status = 403 if error.code in NOT_IDENTIFIED else 400
    codes = {"InvalidSignatureException": "SignatureDoesNotMatch", "UnrecognizedClientException": "InvalidAccessKeyId"}
    code = codes.get(error.code, "AccessDenied" if isinstance(error, Refused) else "InvalidRequest")
    return _Problem(status, code, error.message)


async def _send_bundle(scope: Scope, send: Send, found: BundleAtHand) -> None:
    try:
        file = await in_thread(lambda: os.open(found.bundle.path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        raise _Problem(404, "NoSuchKey", _MISSING) from None
    try:
        size = os.fstat(file).st_size
        part = _part(_header(scope, b"range"), size)
        await send(
            {"type": "http.response.start", "status": 200 if part.whole else 206, "headers": _head(found, part, size)}
        )
        if scope["method"] == "GET":
            await _send_part(send, file, part)
        await send({"type": "http.response.body", "body": b""})
    finally:
        os.close(file)


async def _send_part(send: Send, file: int, part: _Part) -> None:
    """Waits for the client after each piece: `send` returns when there is room for more."""
    at = part.start
    while at < part.end:
        piece = await asyncio.to_thread(os.pread, file, min(_PIECE, part.end - at), at)
        if not piece:
            raise WorldError("a bundle became shorter while it was read")
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        at += len(piece)


def _part(asked: str, size: int) -> _Part:
    """What of *size* bytes is asked for. Anything but one range counts as no range, as HTTP allows."""
    match = _RANGE.fullmatch(asked)
    if not match or not (match[1] or match[2]):
        return _Part(0, size, whole=True)
    if not match[1]:  # the last so many bytes
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
    if start >= end:
        raise _Problem(416, "InvalidRange", "the bundle is not that long", **{"content-range": f"bytes */{size}"})
    return _Part(start, end, whole=False)


def _head(found: BundleAtHand, part: _Part, size: int) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(part.end - part.start),
        "accept-ranges": "bytes",
        "etag": f'"{found.etag}"',
    }
    if found.version:
        headers["x-amz-version-id"] = found.version
    if not part.whole:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def _refuse(scope: Scope, send: Send, problem: _Problem) -> None:
    resource, message = escape(scope["path"][:1024]), escape(problem.message)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{problem.code}</Code><Message>{message}</Message><Resource>{resource}</Resource></Error>"
    )
    body = text.encode("utf-8", "replace")
    headers = {"content-type": "application/xml", "content-length": str(len(body)), **problem.headers}
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _header(scope: Scope, name: bytes) -> str:
    headers: dict[bytes, Any] = dict(scope["headers"])
    value: bytes = headers.get(name, b"")
    return value.decode("latin-1")
