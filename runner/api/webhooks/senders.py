"""How the deliveries of each kind of sender look: headers, events, and what they mean to us.

Sources: GitHub docs, "Webhook events and payloads"; Atlassian, "Event payloads" of Bitbucket Cloud and Data Center.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from runner.api.direct import Headers
from runner.api.webhooks.refusal import Refusal
from runner.model.delivery import Sender

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_EVENT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FORMS = {
    _ID: "1 to 128 printable ASCII characters, and no spaces",
    _EVENT: "1 to 64 letters, digits and any of _.:-",
}

_OF_GITHUB = frozenset({"push", "create", "delete", "release", "workflow_run", "deployment", "pull_request"})


class Kind(NamedTuple):
    """Names of headers, in lower case; *event* None: there is only one kind of event. *timestamp*: signed with the ID and
    the body. *looks*: whether an event says that the repository may have changed.
    """

    signature: bytes
    id: bytes
    event: bytes | None
    looks: Callable[[str], bool]
    timestamp: bytes | None = None


KINDS: dict[Sender, Kind] = {
    "github": Kind(b"x-hub-signature-256", b"x-github-delivery", b"x-github-event", _OF_GITHUB.__contains__),
    "bitbucket": Kind(
        b"x-hub-signature",
        b"x-request-uuid",
        b"x-event-key",
        lambda event: event == "repo:push" or event.startswith("pullrequest:"),
    ),
    "bitbucket-data-center": Kind(
        b"x-hub-signature",
        b"x-request-id",
        b"x-event-key",
        lambda event: event == "repo:refs_changed" or event.startswith("pr:"),
    ),
    "generic": Kind(b"x-signature-256", b"x-delivery-id", None, lambda _event: True, b"x-timestamp"),
}


def signed_before(kind: Kind, headers: Headers) -> bytes:
    """What is signed in front of the body: `TIMESTAMP.ID.` of a generic hook."""
    if kind.timestamp is None:
        return b""
    return headers.get(kind.timestamp, b"") + b"." + headers.get(kind.id, b"") + b"."


def named(kind: Kind, headers: Headers) -> tuple[str, str]:
    """Delivery ID and event. Raises `Refusal` when one of them is missing or malformed."""
    event = "generic" if kind.event is None else _header(headers, kind.event, _EVENT)
    return _header(headers, kind.id, _ID), event


def _header(headers: Headers, name: bytes, form: re.Pattern[str]) -> str:
    value = headers.get(name, b"").decode("latin-1")
    if not form.fullmatch(value):
        what = f"malformed: it may have {_FORMS[form]}" if value else "missing"
        raise Refusal(400, f"the header {name.decode()} is {what}")
    return value
