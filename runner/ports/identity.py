"""Who may call: access keys, enrolment, and the answers that repeated calls get again, as Protocols."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from runner.errors import UserError
from runner.log import Secret
from runner.model.identity import AccessKey, Principal, Role


class SignedRequest(NamedTuple):
    """One HTTP request as it came. Nothing in it is trusted.

    *path*: percent-encoded, as sent, without the query; *query*: as sent, without `?`. *headers*: names in lower case, as
    ASGI has them; repeated ones stay repeated. *client*: the address it came from, "" when it is not known.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    client: str = ""


class Identity(Protocol):
    """Says who sent a request."""

    def identify(self, request: SignedRequest, services: frozenset[str]) -> Principal:
        """The holder of the key that signed *request* for one of *services*, now.

        Raises `Refused`: `ThrottlingException` after many failures from one address, else one of `NOT_IDENTIFIED`. May
        read the database: a millisecond for a key that is new to this process, microseconds for others.
        """
        ...


NOT_IDENTIFIED = frozenset(
    {
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "AccessDeniedException",
    }
)
"""Exceptions of callers who are not known, or not allowed: status 403."""


class IssuedKey(NamedTuple):
    """A key with its secret: shown once to whom it is issued, and read to verify what it signed."""

    principal: Principal
    secret: Secret


class Keyholders(Protocol):
    """What verification needs of the stored keys."""

    def version(self) -> int:
        """Changes whenever anybody has written. Cheap."""
        ...

    def revocations(self) -> int:
        """How many keys have ever been revoked: it changes with every revocation."""
        ...

    def find(self, access_key_id: str) -> IssuedKey | None:
        """None: never issued, or revoked. Raises `WorldError` when the file that secrets are encrypted with is wrong."""
        ...

    def used(self, last: Mapping[str, dt.datetime]) -> None:
        """Note when keys were last used, by ID. Never turns a time back."""
        ...


class KeyStore(Keyholders, Protocol):
    """The access keys, for those who administer them."""

    def create(self, role: Role, host: str | None, description: str, now: dt.datetime) -> IssuedKey:
        """A new key; *host* for role `host`, and for no other. Raises `UserError`."""
        ...

    def all(self) -> list[AccessKey]:
        """Revoked ones too, oldest first."""
        ...

    def revoke(self, access_key_id: str, now: dt.datetime) -> AccessKey:
        """From now on nothing that it signs is accepted. Raises `UserError`: no such key. Repeating it changes nothing."""
        ...


class Enrolments(Protocol):
    """Tokens by which an agent gets its host's key, once."""

    def invite(self, host: str, fingerprint: str, expires_in: dt.timedelta, now: dt.datetime) -> str:
        """A token for *host*. *fingerprint*: of the signing key that the agent is to trust, 32 hex digits."""
        ...

    def enrol(self, token: str, now: dt.datetime) -> IssuedKey:
        """Take the token in exchange for a new key of its host, both or neither.

        Raises `Refused("InvalidTokenException", ...)`: unknown, expired or used.
        """
        ...


class Answer(NamedTuple):
    """The end of an answer: an HTTP status and a JSON text."""

    status: int
    body: str


class Answers(Protocol):
    """Remembers for 15 minutes what requests that change something were answered."""

    def once(
        self, fingerprint: str, work: Callable[[], Answer], refused: Callable[[UserError], Answer], now: dt.datetime
    ) -> Answer:
        """What *work* answers, or answered when a request with *fingerprint* was here before: then it is not run.

        *work* runs in this thread, in one transaction with the record of its answer; of two at the same time one waits.
        A `UserError` of it is recorded too, as *refused* words it (not so a `ThrottlingException`, which asks to be tried
        again), and undoes what *work* did. Any other exception undoes everything, and is raised.
        """
        ...
