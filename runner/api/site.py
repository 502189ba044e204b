"""Which path goes where. Bare ASGI: agents wait behind `POST /` by the thousand, and each pays for what stands here."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from runner.api.asgi import CLOSE, App, Receive, Scope, Send, answer
from runner.api.direct import Direct
from runner.api.webhooks.endpoint import PATH as WEBHOOKS
from runner.api.webhooks.endpoint import Webhooks
from runner.errors import WorldError
from runner.threads import in_thread

Health = Callable[[], dict[str, Any]]
"""How the runner is: `{"status": "ok", ...}`; blocks on the database, raises `WorldError` when it cannot be read."""

_GREETING = b"Penstock: AWS CodeDeploy's API and its agents' command API, by POST to this address.\nHealth: /healthz\n"
_ABOUT_WEBHOOKS = (
    b"This address takes webhooks: signed POST requests of a git forge.\n"
    b"Give it to the forge as the webhook's URL, with the secret. A browser is no test: push something.\n"
)
_READS = ("GET", "HEAD")
_HOOK = re.compile(re.escape(WEBHOOKS.encode()) + rb"[A-Za-z0-9._+=,@-]{0,100}")


class Mounts(NamedTuple):
    """What is served beside health; None is not served. Each is an ASGI application.

    *api*: `POST /`, and `/service/...` of protocols that it refuses. *enrol*: `POST /enrol`. *bundles*: every other GET,
    as agents also ask for `/KEY` of the host BUCKET.ADDRESS, where a key may be one word. *webhooks*: `POST /webhooks/...`.
    """

    api: App | None = None
    enrol: App | None = None
    bundles: App | None = None
    webhooks: Webhooks | None = None


class Site:
    """The ASGI application of the listener. What none of *mounts* takes is 404, as JSON."""

    def __init__(self, health: Health, mounts: Mounts = Mounts()) -> None:  # noqa: B008 - a tuple
        self._health, self._mounts = health, mounts

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._place(scope)(scope, receive, send)  # no coroutine of its own: it would wait as long as a poll

    def direct(self, method: bytes, url: bytes) -> Direct | None:
        """What takes requests of *method* to *url* whole; a URL that is not plain is left to the general way."""
        webhooks = self._mounts.webhooks
        if webhooks is not None and method == b"POST" and _HOOK.fullmatch(url):
            return webhooks.take
        return None

    def _place(self, scope: Scope) -> App:
        path, reads = scope["path"], scope["method"] in _READS
        api, enrol, bundles, webhooks = self._mounts
        if path == "/healthz" and reads:
            return self._healthz
        if api and path == "/":
            return _greet if reads else api  # the official agent asks for GET / when it starts
        if webhooks and path.startswith(WEBHOOKS):
            if scope["method"] == "POST":
                return webhooks
            if not (reads and _is_signed(scope)):  # an agent may fetch from a bucket of this name
                return _for_posts
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


def _is_signed(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


async def _for_posts(scope: Scope, _receive: Receive, send: Send) -> None:
    closing = () if scope["method"] in _READS else (CLOSE,)
    await answer(send, 405, _ABOUT_WEBHOOKS, (b"allow", b"POST"), *closing)


async def _nothing(scope: Scope, _receive: Receive, send: Send) -> None:
    told = {"message": f"there is nothing at {scope['method']} {scope['path'][:200]}"}
    await answer(send, 404, told, *(() if scope["method"] in _READS else (CLOSE,)))
