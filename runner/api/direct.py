"""Requests that are there whole, answered without ASGI.

Around each request ASGI has a task, a scope, and a message for every step: more CPU than a webhook takes to be checked and
stored. What is small and came in one piece can be handed over by one call, and answered by another.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = Mapping[bytes, bytes]
"""By name, in lower case; of one that is repeated the last."""


class Request(NamedTuple):
    """*client*: the address that it came from, "" when it is not known."""

    path: str
    headers: Headers
    body: bytes
    client: str


class Answer(NamedTuple):
    """*told*: becomes JSON. *headers*: beside its type and length."""

    status: int
    told: Mapping[str, str]
    headers: tuple[tuple[bytes, bytes], ...] = ()


Reply: TypeAlias = Callable[[Answer], None]
"""To be called once, in the loop; whoever asked may have hung up."""

Direct: TypeAlias = Callable[[Request, Reply], None]
"""Takes a request; does not block, raises nothing, and replies at once or later."""
