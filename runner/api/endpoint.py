"""`POST /`: who calls, what they want, whether they may, and the answer. Bare ASGI, as agents wait here by the thousand.

The order is: target, signature, limits, role, parameters, handler. What an operation means is its handler's affair.
"""

import asyncio
import contextlib
import itertools
import traceback
from collections.abc import Iterable
from functools import partial
from uuid import uuid4

from runner.api.asgi import ARRIVED, CANCELS, Receive, Scope, Send, client
from runner.api.awsjson.errors import refusal
from runner.api.awsjson.exchange import (
    SLOWEST,
    HungUp,
    hung_up,
    read_body,
    respond,
    respond_in_cbor,
    signed_request,
)
from runner.api.awsjson.service import Service
from runner.api.awsjson.tokens import Tokens
from runner.api.call import AsyncOperation, Call, Operation, Result
from runner.api.identity.limits import Limits
from runner.api.identity.replay import fingerprint
from runner.api.identity.roles import allow
from runner.errors import Refused, UserError, WorldError
from runner.log import get_logger
from runner.model.identity import Principal
from runner.ports import Clock
from runner.ports.identity import Answer, Answers, Identity, SignedRequest
from runner.threads import in_thread

AT_ONCE = 32  # calls in threads; further ones wait their turn

_JSON = b"application/x-amz-json-1.1"
_CLOSING = frozenset({408, 413})  # statuses of requests that were not read to their end

Told = dict[str, str]
"""What the log says about a call: request_id, client, and, once they are known, operation and access_key_id."""

log = get_logger()


class Endpoint:
    """The ASGI application for `POST /`, and for the paths of protocols that are not spoken here."""

    def __init__(
        self,
        services: Iterable[Service],
        *,
        identity: Identity,
        limits: Limits,
        answers: Answers,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._services = {service.prefix: service for service in services}
        self._identity, self._limits, self._answers, self._tokens = identity, limits, answers, tokens
        self._clock = clock
        self._places = asyncio.Semaphore(AT_ONCE)
        self._run, self._numbers = str(uuid4())[:-12], itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"{self._run}{next(self._numbers):012x}"  # a UUID; one drawn for each poll would cost 4 us
        try:
            answer = await self._answer(scope, receive, {"request_id": request_id, "client": client(scope)})
        except HungUp:
            return None
        if scope["path"] != "/" and (b"smithy-protocol", b"rpc-v2-cbor") in scope["headers"]:
            return await respond_in_cbor(send, answer, request_id)
        return await respond(send, answer, request_id, close=answer.status in _CLOSING)

    async def _answer(self, scope: Scope, receive: Receive, told: Told) -> Answer:
        service = None
        try:
            extensions = scope.get("extensions", ())
            body = await read_body(receive, None if ARRIVED in extensions else SLOWEST)
            request = signed_request(scope, body)
            service, name = self._wanted(scope)
            told["operation"] = name
            if not service.loaded:
                await in_thread(service.load)
            principal = self._identity.identify(request, service.signing_names)
            told["access_key_id"] = principal.access_key_id
            with self._counted(principal, name):
                allow(principal, name)
                call = self._call(service, name, principal, request)
                operation = service.operations[name]
                if isinstance(operation, Operation):
                    return await self._in_thread(service, operation, call, request, told)
                del request, body
                scope["headers"].clear()  # what is let go here, is let go ten thousand times
                result = await self._held(operation, call, None if CANCELS in extensions else receive)
                return Answer(200, service.write(name, result).decode())
        except UserError as error:
            return self._refused(told, service, error)
        except WorldError as error:
            log.warning("call failed", **told, error=error.message)
            code = service.unavailable if service else "ServiceUnavailableException"
            return refusal(code, "something that is needed for this is out of reach; try again")
        except HungUp:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours is told to the log, not to the caller
            # As text: a renderer that shows local variables would show signatures.
            log.error("call failed", **told, exception=traceback.format_exc())
            return refusal(
                service.failure if service else "InternalFailure", "internal failure; the log knows the request id"
            )

    def _wanted(self, scope: Scope) -> tuple[Service, str]:
        """Service and operation. Raises `Refused` for whatever is not AWS JSON 1.1 to an operation that is served."""
        headers = dict(scope["headers"])
        if b"smithy-protocol" in headers or scope["path"] != "/":
            raise Refused("UnsupportedMediaTypeException", "only AWS JSON 1.1 is spoken here; tell the SDK to use JSON")
        if scope["method"] != "POST":
            raise Refused("MethodNotAllowedException", f"{scope['method']} is not allowed; calls are POST requests")
        if headers.get(b"content-type", _JSON).partition(b";")[0].strip().lower() != _JSON:
            raise Refused("UnsupportedMediaTypeException", f"the content type should be {_JSON.decode()}")
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        prefix, _, operation = target.rpartition(".")
        service = self._services.get(prefix)
        if service is None or operation not in service.operations:
            raise Refused("UnknownOperationException", f"no operation has the target {target[:200]!r} (X-Amz-Target)")
        return service, operation

    def _counted(self, principal: Principal, operation: str) -> contextlib.AbstractContextManager[None]:
        """Polls are limited in how many are held, everything else in how many there are a second."""
        if operation.startswith("Poll"):
            return self._limits.poll(principal)
        self._limits.count(principal)
        return contextlib.nullcontext()

    def _call(self, service: Service, operation: str, principal: Principal, request: SignedRequest) -> Call:
        params = service.read(operation, request.body)
        return Call(
            operation=operation,
            params=params,
            principal=principal,
            now=self._clock(),
            pages=self._tokens.pages(operation, params),
            headers={
                name.decode(): value.decode("latin-1")
                for name, value in request.headers
                if name.startswith(b"x-amz-codedeploy-")
            },
        )

    async def _held(self, operation: AsyncOperation, call: Call, receive: Receive | None) -> Result:
        """Answer in the loop. When the caller hangs up the handler is cancelled at once, by us or by the server."""
        if receive is None:
            return await operation.handler(call)
        working = asyncio.current_task()
        gone = False

        async def watch() -> None:
            nonlocal gone
            await hung_up(receive)
            gone = True
            if working:
                working.cancel()

        watching = asyncio.create_task(watch())
        try:
            return await operation.handler(call)
        except asyncio.CancelledError:
            if gone and working and not working.uncancel():
                raise HungUp from None
            raise
        finally:
            watching.cancel()

    async def _in_thread(
        self, service: Service, operation: Operation, call: Call, request: SignedRequest, told: Told
    ) -> Answer:
        """Answer from a thread; what changes something, in one transaction with the record of its answer."""

        def work() -> Answer:
            return Answer(200, service.write(call.operation, operation.handler(call)).decode())

        async with self._places:
            if not operation.changes:
                return await in_thread(work)
            identical = fingerprint(call.principal, call.operation, request)
            refused = partial(self._refused, told, service)
            return await in_thread(lambda: self._answers.once(identical, work, refused, call.now))

    def _refused(self, told: Told, service: Service | None, error: UserError) -> Answer:
        code = service.word(told["operation"], error.code) if service else error.code
        log.info("call refused", **told, code=code)
        return refusal(code, error.message)
