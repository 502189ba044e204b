"""The door of the cloud: knows every call, records it, lets go wrong what was arranged, and has moto carry it out.

Calls of the tests' own client, and of functions that run in the cloud, are neither counted nor held nor refused.
"""

import contextlib
import io
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from support.asked import Asked, understand
from support.faults import Fault, Faults
from support.keys import FUNCTIONS_KEY, TESTS_KEY
from support.lag import Lag
from support.record import Record
from support.serial import LOCK

Answer = tuple[int, list[tuple[str, str]], bytes]
_MAY_WAIT = {"Invoke", "InvokeAsync", "InvokeWithResponseStream"}  # these run a function: no lock is held meanwhile


class Front:
    """A WSGI application in front of moto's."""

    def __init__(self, record: Record, faults: Faults, lag: Lag) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._record, self._faults, self._lag = record, faults, lag
        self._expired: set[str] = set()
        self._temporary: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or -1) if _has_body(environ) else 0)
        asked = understand(environ, body)
        answer = self._answer(environ, body, asked)
        if answer is None:
            with contextlib.suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        status, headers, content = answer
        start_response(f"{status} {'OK' if status < 400 else 'Refused'}", headers)
        return [content]

    def expire_credentials(self) -> None:
        """Whatever AssumeRole has handed out and was used so far is refused from now on."""
        self._expired |= self._temporary

    def forget(self) -> None:
        self._expired.clear()
        self._temporary.clear()

    def _answer(self, environ: dict[str, Any], body: bytes, asked: Asked) -> Answer | None:
        if asked.access_key in (TESTS_KEY, FUNCTIONS_KEY):
            who = "test" if asked.access_key == TESTS_KEY else "function"
            return self._carry_out(environ, body, asked, who, lagging=False)
        if asked.access_key.startswith("ASIA"):
            self._temporary.add(asked.access_key)
        self._faults.wait(asked, carried_out=False)
        if asked.access_key in self._expired:
            return self._refuse(asked, _expired(asked))
        fault = self._faults.meeting(asked, time.monotonic())
        if fault is not None and not fault.carried_out:
            return self._refuse(asked, fault)
        answer = self._carry_out(environ, body, asked, "client", lagging=True)
        self._faults.wait(asked, carried_out=True)
        return answer if fault is None else _worded(asked, fault)

    def _refuse(self, asked: Asked, fault: Fault) -> Answer | None:
        answer = _worded(asked, fault)
        self._record.add(asked, "client", time.time(), (answer[0], answer[2]) if answer else None, carried_out=False)
        return answer

    def _carry_out(
        self, environ: dict[str, Any], body: bytes, asked: Asked, who: str, *, lagging: bool
    ) -> Answer | None:
        with contextlib.nullcontext() if asked.operation in _MAY_WAIT else LOCK:
            counts = lagging and asked.mutating
            if counts and self._faults.count(before=True):
                return None
            answer = self._run(environ, body, asked, lagging)
            self._record.add(asked, who, time.time(), (answer[0], answer[2]), carried_out=True)
            if counts and self._faults.count(before=False):
                return None
        return answer

    def _run(self, environ: dict[str, Any], body: bytes, asked: Asked, lagging: bool) -> Answer:
        if asked.operation in _MAY_WAIT or not (asked.mutating or lagging):
            return self._ask_moto(environ, body, asked)
        if not asked.mutating:
            with self._lag.reading(asked.service):
                return self._ask_moto(environ, body, asked)
        self._lag.before_write(asked.service)
        try:
            return self._ask_moto(environ, body, asked)
        finally:
            self._lag.after_write(asked.service)

    def _ask_moto(self, environ: dict[str, Any], body: bytes, asked: Asked) -> Answer:
        """What moto cannot do is answered with 501, which no client tries again, and its reason."""
        told: list[Any] = []
        given = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        try:
            content = b"".join(self._moto(given, lambda status, headers, *_: told.extend((status, headers))))
        except Exception as error:  # noqa: BLE001 - moto's own bugs are told to the test
            traceback.print_exc(file=sys.stderr)
            return asked.error("MotoCannot", f"{asked.operation}: {type(error).__name__}: {error}", 501)
        return int(told[0].split()[0]), [(name, str(value)) for name, value in told[1]], content


def _has_body(environ: dict[str, Any]) -> bool:
    return bool(environ.get("CONTENT_LENGTH")) or bool(environ.get("wsgi.input_terminated"))


def _worded(asked: Asked, fault: Fault) -> Answer | None:
    return asked.error(fault.code, fault.message or fault.code, fault.status) if fault.code else None


def _expired(asked: Asked) -> Fault:
    code = "ExpiredTokenException" if "json" in asked.protocol else "ExpiredToken"
    message = "The security token included in the request is expired"
    return Fault(
        asked.service, asked.operation, code=code, status=403 if code == "ExpiredToken" else 400, message=message
    )
