"""A forge's API for one login: shows the token, takes a new one where that can be had, and keeps quiet when told to."""

import base64
import datetime as dt
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from runner.config import secret
from runner.errors import Throttled, UserError, WorldError
from runner.forges.rest import NOT_MODIFIED, Answer, Api, Deadline, ask, check
from runner.log import Secret
from runner.ports import Clock

T = TypeVar("T")
Login: TypeAlias = Callable[[Secret | None, Deadline], Secret]
"""The token to show. Told one that was refused, it may know another."""


class Quiet:
    """How long one login wants to be left alone; shared by all repositories that it is used for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dt.datetime | None = None

    def check(self, what: str, now: dt.datetime) -> None:
        with self._lock:
            until = self._until
        if until is not None and until > now:
            raise Throttled(f"{what} waits: the forge asked for a pause until {until:%H:%M:%S} UTC", until - now)

    def keep(self, until: dt.datetime) -> None:
        with self._lock:
            self._until = until


class _Known(NamedTuple):
    tag: str
    made: object


class Client:
    """Asks *api*. *username*: the token is its password."""

    def __init__(
        self,
        api: Api,
        login: Login,
        quiet: Quiet,
        clock: Clock,
        *,
        username: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._api, self._login, self._quiet, self._clock = api, login, quiet, clock
        self._username, self._headers = username, dict(headers or {})
        self._known: dict[str, _Known] = {}

    def call(
        self,
        what: str,
        method: str,
        path: str,
        body: object,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A successful answer. Raises `Throttled`, `Refusal`, `WorldError` with *what* in it."""
        self._quiet.check(what, self._clock())
        token = self._token(None, deadline)
        asked = partial(self._ask, method=method, path=path, body=body, deadline=deadline, headers=headers or {})
        answer = asked(token)
        if answer.status == 401 and (other := self._token(token, deadline)) != token:
            answer = asked(other)
        now = self._clock()
        try:
            check(answer, what, now)
        except Throttled as error:
            self._quiet.keep(now + error.wait)
            raise
        return answer

    def again(self, what: str, path: str, read: Callable[[Any], T], deadline: Deadline) -> T:
        """What *read* makes of the content at *path*, which is asked for again and again, and not sent if it is the same.

        GitHub does not count such answers against its limits.
        """
        known = self._known.get(path)
        condition = {"If-None-Match": known.tag} if known and known.tag else {}
        answer = self.call(what, "GET", path, None, deadline, condition)
        if known and answer.status == NOT_MODIFIED:
            return cast(T, known.made)
        made = read(answer.content)
        self._known[path] = _Known(answer.headers.get("etag", ""), made)
        return made

    def _ask(
        self, token: Secret, *, method: str, path: str, body: object, deadline: Deadline, headers: Mapping[str, str]
    ) -> Answer:
        shown = f"Bearer {token.reveal()}"
        if self._username is not None:
            shown = "Basic " + base64.b64encode(f"{self._username}:{token.reveal()}".encode()).decode()
        return ask(self._api, method, path, {**self._headers, **headers, "Authorization": shown}, body, deadline)

    def _token(self, refused: Secret | None, deadline: Deadline) -> Secret:
        try:
            return self._login(refused, deadline)
        except UserError as error:  # a secret that is not there may be put there while a message waits
            raise WorldError(str(error)) from error


def configured(reference: str) -> Login:
    """The secret that the configuration refers to, as it is now: a new one needs no restart."""
    return lambda refused, deadline: secret(reference)
