"""The HTTP side of a call, on bare ASGI: a body that is neither too large nor too slow, and the answer."""

import asyncio
from typing import Any

from runner.api.asgi import CLOSE, Receive, Scope, Send, client
from runner.api.awsjson.errors import as_cbor
from runner.errors import Refused
from runner.model.value import from_json
from runner.ports.identity import Answer, SignedRequest

LARGEST = 1 << 20  # bytes of a body; a request of CodeDeploy with everything in it is a tenth of that
SLOWEST = 30.0  # seconds for a body to arrive
_THROWN_AWAY = 16 * LARGEST  # of a body that is too large: a client that is still sending does not hear our answer

_TYPE = (b"content-type", b"application/x-amz-json-1.1")


class HungUp(Exception):
    """The caller is gone; nobody waits for an answer."""


async def read_body(receive: Receive, seconds: float | None = SLOWEST) -> bytes:
    """The whole body. *seconds*: within which it must arrive; None when it is known to be there.

    Raises `Refused`: RequestEntityTooLargeException, RequestTimeoutException; `HungUp`.
    """
    if seconds is None:
        return await _all_of(receive)
    try:
        async with asyncio.timeout(seconds):
            return await _all_of(receive)
    except TimeoutError:
        raise Refused("RequestTimeoutException", f"the body did not arrive within {seconds:g} seconds") from None


async def _all_of(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        piece = message.get("body", b"")
        size += len(piece)
        if size <= LARGEST:
            pieces.append(piece)
        if not message.get("more_body") or size > _THROWN_AWAY:
            break
    if size > LARGEST:
        raise Refused("RequestEntityTooLargeException", f"the body may have {LARGEST} bytes")
    return b"".join(pieces)


def signed_request(scope: Scope, body: bytes) -> SignedRequest:
    """The request as verification takes it. Its headers are the scope's own list."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    address = client(scope)
    return SignedRequest(
        scope["method"], path.decode("latin-1"), query.decode("latin-1"), scope["headers"], body, address
    )


async def hung_up(receive: Receive) -> None:
    """Return once the caller is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, answer: Answer, request_id: str, *, close: bool = False) -> None:
    """*close*: the connection with it, as what the caller sent was not read to its end."""
    headers = [_TYPE]
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if close:
        headers.append(CLOSE)
    await _send(send, answer.status, headers, answer.body.encode(), request_id)


async def respond_in_cbor(send: Send, answer: Answer, request_id: str) -> None:
    """*answer*, a refusal, in the protocol of a client that speaks CBOR."""
    headers = [(b"content-type", b"application/cbor"), (b"smithy-protocol", b"rpc-v2-cbor")]
    await _send(send, answer.status, headers, as_cbor(from_json(answer.body, dict[str, Any])), request_id)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, request_id: str) -> None:
    headers += [(b"content-length", b"%d" % len(body)), (b"x-amzn-requestid", request_id.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
