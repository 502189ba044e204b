"""`POST /webhooks/NAME`: who sent it, is it new, store it, answer 202. Then the repository is looked at.

The order is: size, signature, names, clock, payload, store. To whoever does not sign right all answers are the same, and
take as long, whether there is such a repository or not; the log tells the owner what was wrong, after the answer.
"""

import time
import traceback
from typing import NamedTuple

from runner.api.asgi import ARRIVED, CLOSE, Receive, Scope, Send, answer, client
from runner.api.awsjson.exchange import HungUp
from runner.api.identity.buckets import Buckets
from runner.api.webhooks.body import LARGEST, SLOWEST, Body, Reading, too_large
from runner.api.webhooks.hooks import Hook, Hooks
from runner.api.webhooks.intake import Intake
from runner.api.webhooks.payload import refs
from runner.api.webhooks.refusal import Refusal, unsigned
from runner.api.webhooks.senders import KINDS, Kind, named, signed_before
from runner.errors import WorldError
from runner.log import get_logger
from runner.model.delivery import Delivery
from runner.ports import Clock

PATH = "/webhooks/"
SKEW = 300  # seconds between the clocks of a generic hook's sender and ours
_UNREAD = frozenset({408, 413})  # statuses of requests that were not read to their end
_LINES = 0.1, 5.0  # of the log, for one name: a second, and at once

log = get_logger()


class Accepted(NamedTuple):
    """*status*: `stored`; `known`, where it was here before; `recorded`, where there is nothing to look for."""

    delivery: str
    status: str


class Webhooks:
    """The ASGI application for the POST requests below `PATH`."""

    def __init__(self, hooks: Hooks, intake: Intake, clock: Clock) -> None:
        self._hooks, self._intake, self._clock = hooks, intake, clock
        self._reading = Reading()
        self._lines = Buckets(*_LINES, time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hook = self._hooks.of(scope["path"].removeprefix(PATH))
        headers = dict(scope["headers"])
        try:
            accepted = await self._accept(hook, headers, scope, receive)
        except HungUp:
            return
        except Refusal as refused:
            closing = (CLOSE,) if refused.status in _UNREAD else ()
            await answer(send, refused.status, {"message": refused.message}, *closing)
            self._tell(hook, headers, scope, refused)
        except WorldError as error:
            log.warning("webhook not stored", repository=hook.repository, error=error.message)
            await answer(send, 503, {"message": "it could not be stored; try again"}, (b"retry-after", b"10"))
        except Exception:  # noqa: BLE001 - a bug of ours is told to the log, not to the sender
            log.error("webhook failed", repository=hook.repository, exception=traceback.format_exc())
            await answer(send, 500, {"message": "internal failure; the log knows more"})
        else:
            await answer(send, 202, accepted._asdict())

    async def _accept(self, hook: Hook, headers: dict[bytes, bytes], scope: Scope, receive: Receive) -> Accepted:
        kind = KINDS[hook.sender]
        if _promised(headers) > LARGEST:
            raise too_large()
        seconds = None if ARRIVED in scope.get("extensions", ()) else SLOWEST
        body = await self._reading.read(receive, hook.macs, signed_before(kind, headers), seconds)
        if not (body.is_signed(headers.get(kind.signature, b"").lower()) and hook.known):
            raise unsigned()
        return await self._store(self._delivery(hook, kind, headers, body))

    def _delivery(self, hook: Hook, kind: Kind, headers: dict[bytes, bytes], body: Body) -> Delivery:
        """Raises `Refusal`."""
        name, event = named(kind, headers)
        now = self._clock()
        if kind.timestamp is not None:
            _check_clock(headers.get(kind.timestamp, b""), now.timestamp())
        content_type = headers.get(b"content-type", b"")
        return Delivery(
            id=name,
            repository=hook.repository,
            event=event,
            body=body.sha256(),
            received_at=now,
            refs=() if body.content is None else refs(hook.sender, event, content_type, body.content),
            looks=kind.looks(event),
        )

    async def _store(self, delivery: Delivery) -> Accepted:
        taken = await self._intake.take(delivery)
        if taken == "Conflict":
            raise Refusal(409, f"delivery {delivery.id} was here before, with another body")
        if taken == "Known":
            return Accepted(delivery.id, "known")
        return Accepted(delivery.id, "stored" if delivery.looks else "recorded")

    def _tell(self, hook: Hook, headers: dict[bytes, bytes], scope: Scope, refused: Refusal) -> None:
        name = scope["path"].removeprefix(PATH)[:100]
        if self._lines.take(name):
            why = refused.message if refused.status != 403 else _why_not(hook, headers)
            log.info("webhook refused", repository=name, client=client(scope), status=refused.status, reason=why)


def _promised(headers: dict[bytes, bytes]) -> int:
    """Bytes of the body, as far as they are told."""
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 16 else 0


def _why_not(hook: Hook, headers: dict[bytes, bytes]) -> str:
    if not hook.known:
        return "no repository of this name has a [webhook] in penstock.toml"
    header = KINDS[hook.sender].signature
    if header not in headers:
        return f"it is not signed: there is no {header.decode()}; give the sender the secret"
    return "the signature is of none of its secrets; is it the sender's secret, and the sender's kind?"


def _check_clock(given: bytes, now: float) -> None:
    if not (given.isdigit() and len(given) <= 12):
        raise Refusal(400, "the header x-timestamp should be seconds since 1970")
    behind = round(now) - int(given)
    if abs(behind) > SKEW:
        way = "behind" if behind > 0 else "ahead of"
        raise Refusal(
            400,
            f"the timestamp is {abs(behind)} s {way} the clock here, and {SKEW} s are allowed; is one of the clocks "
            "wrong, or is this an old request?",
        )
