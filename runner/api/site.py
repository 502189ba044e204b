"""Which path goes where. Bare ASGI: agents wait behind `POST /` by the thousand, and each pays for what stands here."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from runner.api.asgi import CLOSE, App, Receive, Scope, Send, answer
from runner.api.webhooks.endpoint import PATH as WEBHOOKS
from runner.errors import WorldError
from runner.threads import in_thread

Health = Callable[[], dict[str, Any]]
"""How the runner is: `{"status": "ok", ...}`; blocks on the database, raises `WorldError` when it cannot be read."""

_GREETING = b"Penstock: AWS CodeDeploy's API and its agents' command API, by POST to this address.\nHealth: /healthz\n"
_READS = ("GET", "HEAD")


class Mounts(NamedTuple):
    """What is served beside health; None is not served. Each is an ASGI application.

    *api*: `POST /`, and `/service/...` of protocols that it refuses. *enrol*: `POST /enrol`. *bundles*: every other GET,
    as agents also ask for `/KEY` of the host BUCKET.ADDRESS, where a key may be one word. *webhooks*: `POST /webhooks/...`.
    """

    api: App | None = None
    enrol: App | None = None
    bundles: App | None = None
    webhooks: App | None = None


class Site:
    """The ASGI application of the listener. What none of *mounts* takes is 404, as JSON."""

    def __init__(self, health: Health, mounts: Mounts = Mounts()) -> None:  # noqa: B008 - a tuple
        self._health, self._mounts = health, mounts

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._place(scope)(scope, receive, send)  # no coroutine of its own: it would wait as long as a poll

    def _place(self, scope: Scope) -> App:
        path, reads = scope["path"], scope["method"] in _READS
        api, enrol, bundles, webhooks = self._mounts
        if path == "/healthz" and reads:
            return self._healthz
        if api and path == "/":
            return _greet if reads else api  # the official agent asks for GET / when it starts
        if webhooks and path.startswith(WEBHOOKS) and scope["method"] == "POST":
            return webhooks
        if enrol and path == "/enrol":
            return enrol
        if bundles and reads:
            return bundles
        if api and path.startswith("/service/"):
            return api
        return _nothing

    async def _healthz(self, scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            status, told = 200, await in_thread(self._health)
        except WorldError as error:
            status, told = 503, {"status": "failing", "message": error.message}
        await answer(send, status, told)


async def _greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 200, _GREETING)


async def _nothing(scope: Scope, _receive: Receive, send: Send) -> None:
    told = {"message": f"there is nothing at {scope['method']} {scope['path'][:200]}"}
    await answer(send, 404, told, *(() if scope["method"] in _READS else (CLOSE,)))
