"""ASGI, as far as it is used here bare: its types, two extensions of our own, and small answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE = (b"connection", b"close")
"""Header of an answer after which the connection ends: the request was not read to its end."""

CANCELS = "penstock.cancels"
"""Extension of a server that cancels a request's task itself when the caller hangs up."""

ARRIVED = "penstock.arrived"
"""Extension: the whole body is there when the application begins, and `receive` does not wait for it."""


def client(scope: Scope) -> str:
    """The address that a request came from, "" when it is not known."""
    return str(scope["client"][0]) if scope.get("client") else ""


async def answer(send: Send, status: int, told: Mapping[str, Any] | bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer *told*: JSON of a mapping, or plain text. *headers*: beside its type and length."""
    text = isinstance(told, bytes)
    body = told if isinstance(told, bytes) else json.dumps(told, separators=(",", ":")).encode()
    kind = b"text/plain; charset=utf-8" if text else b"application/json"
    own = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
