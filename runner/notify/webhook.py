"""Posts messages as JSON to a URL, signed. Tries each once: what fails is the outbox's to repeat.

The request is a POST of one JSON object: `id`, `event`, `subject`, `sentAt` (ISO 8601, UTC), and the fields of the message's
body. Its headers:

    X-Penstock-Event: DeploymentFailure
    X-Penstock-Delivery: 17                   the same at each repetition of one message
    X-Hub-Signature-256: sha256=<hex>         HMAC-SHA256 of the raw request body, as GitHub signs; only with a `secret`

A receiver checks the signature over the bytes it received, in constant time, refuses a `sentAt` that is too old (it is
inside what is signed, and new at each repetition), and ignores a delivery that it has had. Any 2xx answer means taken. The
answer's body is not read. Redirects are not followed: a signed message goes where the configuration says or nowhere.
"""

import datetime as dt
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote

from runner import config as configuration
from runner.config import NotifierConfig
from runner.errors import UserError, WorldError
from runner.log import Secret
from runner.model.value import to_json
from runner.ports import Clock, Message

if TYPE_CHECKING:
    from urllib3.util import Url

CONNECT = 4.0  # seconds
TOTAL = 9.0
_WAIT_FOR = (408, 425, 429)  # of the 4xx, those that say "later"


class Webhook:
    """Posts to the URL of *config*. *allow_link_local*: also to 169.254.0.0/16 and the like. Implements `Notifier`."""

    def __init__(self, config: NotifierConfig, *, clock: Clock, allow_link_local: bool = False) -> None:
        self._config = config
        self._clock = clock
        self._allow_link_local = allow_link_local

    def send(self, message: Message) -> None:
        """As `Notifier.send`. Messages of errors name the notifier and the host, never the URL: that may hold a token."""
        url = self._url()
        content = payload(message, self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "penstock",
            "X-Penstock-Event": message.event,
            "X-Penstock-Delivery": str(message.id),
            **self._signed(content),
            **_authorization(url),
        }
        self._judge(self._status(url, content, headers), url)

    def _url(self) -> "Url":
        from urllib3.exceptions import LocationParseError
        from urllib3.util import parse_url

        try:
            url = parse_url(self._config.url)
        except LocationParseError:
            url = None
        if url is None or url.scheme not in ("http", "https") or not url.hostname:
            raise UserError(f"the URL of the notifier {self._config.name} is not an http or https URL")
        return url

    def _signed(self, content: bytes) -> dict[str, str]:
        if self._config.secret is None:
            return {}
        try:
            secret = configuration.secret(self._config.secret)
        except UserError as error:  # may be mended while the message waits
            raise WorldError(f"webhook {self._config.name}: {error}") from error
        return {"X-Hub-Signature-256": signature(secret, content)}

    def _status(self, url: "Url", content: bytes, headers: dict[str, str]) -> int:
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout

        from runner.outgoing.connection import Limits, pool, reason

        where = f"webhook {self._config.name} at {url.host}"
        with pool(url, Limits(CONNECT, TOTAL), allow_link_local=self._allow_link_local) as connections:
            try:
                response = connections.urlopen(
                    "POST",
                    url.request_uri,
                    body=content,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    timeout=Timeout(connect=CONNECT, read=TOTAL),
                    preload_content=False,
                )
                response.close()
                return response.status
            except (HTTPError, OSError, UnicodeError) as error:
                raise WorldError(f"{where} could not be reached: {reason(error)}") from error

    def _judge(self, status: int, url: "Url") -> None:
        if 200 <= status < 300:
            return
        said = f"webhook {self._config.name} at {url.host} answered {status}"
        if 300 <= status < 400:
            raise WorldError(f"{said}; redirects are not followed: configure the final URL", retryable=False)
        raise WorldError(said, retryable=status >= 500 or status in _WAIT_FOR)


def payload(message: Message, at: dt.datetime) -> bytes:
    """The request's body: one JSON object."""
    head = {"id": message.id, "event": message.event, "subject": message.subject, "sentAt": at}
    return to_json({**message.body, **head}).encode()


def signature(secret: Secret, content: bytes) -> str:
    """What GitHub's webhooks carry in X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.reveal().encode(), content, hashlib.sha256).hexdigest()


def _authorization(url: "Url") -> dict[str, str]:
    from urllib3.util import make_headers

    return make_headers(basic_auth=unquote(url.auth)) if url.auth else {}
