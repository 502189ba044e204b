"""`POST /webhooks/NAME`: who sent it, is it new, store it, answer 202. Then the repository is looked at.

The order is: size, signature, names, clock, payload, store. To whoever does not sign right all answers are the same, and
take as long, whether there is such a repository or not; the log tells the owner what was wrong, after the answer.
"""

import time
import traceback
from functools import partial
from typing import NamedTuple

from runner.api.asgi import ARRIVED, Receive, Scope, Send, answer, client
from runner.api.awsjson.exchange import HungUp
from runner.api.direct import Headers, Reply, Request
from runner.api.identity.buckets import Buckets
from runner.api.webhooks.answers import accepted, not_accepted
from runner.api.webhooks.body import LARGEST, SLOWEST, Body, Kept, Reading, too_large
from runner.api.webhooks.hooks import Hook, Hooks
from runner.api.webhooks.intake import Intake, Outcome
from runner.api.webhooks.payload import refs
from runner.api.webhooks.refusal import Refusal, conflict, unsigned
from runner.api.webhooks.senders import KINDS, named, signed_before
from runner.errors import WorldError
from runner.log import get_logger
from runner.model.delivery import Delivery
from runner.ports import Clock

PATH = "/webhooks/"
SKEW = 300  # seconds between the clocks of a generic hook's sender and ours
_LINES = 0.1, 5.0  # of the log, for one name: a second, and at once

log = get_logger()


class Sent(NamedTuple):
    """One request. *name*: of the repository that it is for, as the path has it."""

    hook: Hook
    name: str
    headers: Headers
    client: str


class Webhooks:
    """Takes the POST requests below `PATH`: as an ASGI application, or by `take` where one is there whole."""

    def __init__(self, hooks: Hooks, intake: Intake, clock: Clock) -> None:
        self._hooks, self._intake, self._clock = hooks, intake, clock
        self._reading = Reading()
        self._lines = Buckets(*_LINES, time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = self._sent(scope["path"], dict(scope["headers"]), client(scope))
        try:
            delivery = self._judge(sent, await self._read(sent, scope, receive))
            taken = await self._intake.take(delivery)
            if taken == "Conflict":
                raise conflict(delivery.id)
        except HungUp:
            return
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, not to the sender
            status, told, headers = not_accepted(error)
            await answer(send, status, told, *headers)
            self._tell(sent, error)
        else:
            status, told, headers = accepted(delivery, taken)
            await answer(send, status, told, *headers)

    def take(self, request: Request, reply: Reply) -> None:
        """The same for a request that is there whole: see `runner.api.direct`."""
        sent = self._sent(request.path, request.headers, request.client)
        try:
            body = Kept(sent.hook.macs, signed_before(KINDS[sent.hook.sender], sent.headers), request.body)
            delivery = self._judge(sent, body)
            self._intake.hand(delivery, partial(self._stored, sent, delivery, reply))
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(sent, error, reply)

    def _stored(self, sent: Sent, delivery: Delivery, reply: Reply, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            self._refuse(sent, outcome, reply)
        elif outcome == "Conflict":
            self._refuse(sent, conflict(delivery.id), reply)
        else:
            reply(accepted(delivery, outcome))

    def _refuse(self, sent: Sent, error: Exception, reply: Reply) -> None:
        reply(not_accepted(error))
        self._tell(sent, error)

    def _sent(self, path: str, headers: Headers, client: str) -> Sent:
        name = path.removeprefix(PATH)
        return Sent(self._hooks.of(name), name, headers, client)

    async def _read(self, sent: Sent, scope: Scope, receive: Receive) -> Body:
        if _promised(sent.headers) > LARGEST:
            raise too_large()
        seconds = None if ARRIVED in scope.get("extensions", ()) else SLOWEST
        before = signed_before(KINDS[sent.hook.sender], sent.headers)
        return await self._reading.read(receive, sent.hook.macs, before, seconds)

    def _judge(self, sent: Sent, body: Body) -> Delivery:
        """Raises `Refusal`."""
        hook, headers = sent.hook, sent.headers
        kind = KINDS[hook.sender]
        if not (body.is_signed(headers.get(kind.signature, b"").lower()) and hook.known):
            raise unsigned()
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

    def _tell(self, sent: Sent, error: Exception) -> None:
        """The owner, by the log."""
        name = sent.name[:100]
        if isinstance(error, Refusal):
            if self._lines.take(name):
                why = error.message if error.status != 403 else _why_not(sent.hook, sent.headers)
                log.info("webhook refused", repository=name, client=sent.client, status=error.status, reason=why)
        elif isinstance(error, WorldError):
            log.warning("webhook not stored", repository=name, error=error.message)
        else:
            log.error("webhook failed", repository=name, exception="".join(traceback.format_exception(error)))


def _promised(headers: Headers) -> int:
    """Bytes of the body, as far as they are told."""
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 16 else 0


def _why_not(hook: Hook, headers: Headers) -> str:
    if not hook.known:
        return "no repository of this name has a [webhook] in penstock.toml"
    header = KINDS[hook.sender].signature
    if header not in headers:
        if headers.get(b"x-event-key") == b"diagnostics:ping":  # seen at many releases; what is pushed is signed
            return "it is a connection test of Data Center's, which Bitbucket does not sign; push something instead"
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
