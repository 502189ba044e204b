"""`POST /enrol`: an agent gives its one-time token and gets the key of its host. The only call that nobody signs."""

import json
from functools import partial
from typing import Any

from runner.api.asgi import Receive, Scope, Send, answer, client
from runner.api.awsjson.exchange import HungUp, read_body
from runner.api.identity.failures import Failures
from runner.errors import Refused, UserError, WorldError
from runner.log import get_logger
from runner.ports import Clock
from runner.ports.agents import SigningKey
from runner.ports.identity import Enrolments
from runner.threads import in_thread

_NO_STORE = (b"cache-control", b"no-store")
_LONGEST = 1024  # characters of a token
_INVALID = "InvalidTokenException"
_STATUS = {"RequestEntityTooLargeException": 413, "RequestTimeoutException": 408, "MethodNotAllowedException": 405}


class Enrolment:
    """The ASGI application. *region*: what agents sign for. A token is good for one answer."""

    def __init__(self, enrolments: Enrolments, key: SigningKey, region: str, clock: Clock) -> None:
        self._enrolments, self._key, self._region, self._clock = enrolments, key, region, clock
        self._failures = Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = client(scope)
        try:
            if scope["method"] != "POST":
                raise Refused("MethodNotAllowedException", "an agent enrols with POST")
            self._failures.check(address, None)
            enrolled = await self._enrol(_token(await read_body(receive)))
        except HungUp:
            return
        except UserError as error:
            self._failures.count(address, None)
            status = _STATUS.get(error.code, 400)
            get_logger().info("enrolment refused", code=error.code, client=address)
            await answer(send, status, {"__type": error.code, "message": error.message}, _NO_STORE)
        except WorldError as error:
            get_logger().warning("enrolment failed", error=error.message)
            await answer(send, 503, {"__type": "ServiceUnavailableException", "message": "try again"}, _NO_STORE)
        else:
            await answer(send, 200, enrolled, _NO_STORE)

    async def _enrol(self, token: str) -> dict[str, Any]:
        issued = await in_thread(partial(self._enrolments.enrol, token, self._clock()))
        get_logger().info("agent enrolled", host=issued.principal.host, access_key_id=issued.principal.access_key_id)
        return {
            "host": issued.principal.host,
            "access_key_id": issued.principal.access_key_id,
            "secret_access_key": issued.secret.reveal(),
            "region": self._region,
            "signing_key": {"n": f"{self._key.modulus:x}", "e": self._key.exponent},
        }


def _token(body: bytes) -> str:
    """Raises `Refused`: there is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(_INVALID, 'the body should be JSON: {"token": "..."}') from None
    token = said.get("token") if isinstance(said, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST or not token.isascii():
        raise Refused(_INVALID, 'the body should be JSON: {"token": "..."}')
    return token
