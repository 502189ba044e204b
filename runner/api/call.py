"""One call of an operation, and what answers it."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from runner.model.identity import Principal

Params: TypeAlias = dict[str, Any]
Result: TypeAlias = dict[str, Any]


class Pages(Protocol):
    """The next tokens of one listing: one operation with one set of filters."""

    def after(self) -> dict[str, Any] | None:
        """The position in the token that was sent, None for the first page. Raises `Refused`, InvalidNextToken."""
        ...

    def token(self, position: dict[str, Any]) -> str:
        """The token for the page that begins after *position*, which is JSON."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """*params*: checked against the operation's input shape; times are aware, unknown members are gone.

    *headers*: names in lower case.
    """

    operation: str
    params: Params
    principal: Principal
    now: dt.datetime
    pages: Pages
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Call], Result]
"""Answers a call; may block, and is called from threads. Raises `UserError`: its code is the exception's name."""

AsyncHandler: TypeAlias = Callable[[Call], Awaitable[Result]]
"""Answers a call in the loop; cancelled when the caller hangs up."""


@dataclass(frozen=True, slots=True)
class Operation:
    """*changes*: it runs in one transaction together with the record of its answer, and not again when it is repeated."""

    handler: Handler
    changes: bool = False


@dataclass(frozen=True, slots=True)
class AsyncOperation:
    """An operation that may wait for long; its answers are not recorded."""

    handler: AsyncHandler
