"""Makes this machine a host of a server: trades a one-time token for a key, and pins the server's signing key."""

from __future__ import annotations

import hmac
import json
import os

from runner.host.agent.connection import Connection, trust_in
from runner.host.agent.errors import Mistake
from runner.host.agent.pinned_key import PinnedKey
from runner.host.agent.service import object_in, refuse
from runner.host.agent.settings import Settings, check_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATIENCE = 30.0  # seconds
_DIGITS = 32  # of the fingerprint, at the end of a token
_HEX = frozenset("0123456789abcdef")


def enrol(server: str, token: str, path: str, ca_file: str = "", state: str = "", plain_http: bool = False) -> Settings:
    """Enrol, and write *path*. *token*: as `penstock keys enrol` printed it.

    Raises `Mistake`, `Unreachable`, `Rejected`. The token is used up once the server has answered.
    """
    server, token = server.rstrip("/"), token.strip()
    check_server(server, plain_http)
    fingerprint = _fingerprint_in(token)
    _check_place(path)
    settings = _settings(_asked(server, token, ca_file), server, ca_file, state, plain_http)
    if not hmac.compare_digest(settings.signing_key.fingerprint()[:_DIGITS], fingerprint):
        raise Mistake(
            "the signing key of {} is not the one that the token names: this is another server, or somebody stands between. "
            "Nothing was written; ask for a new token once that is clear".format(server)
        )
    try:
        settings.write(path)
    except OSError as error:
        raise Mistake("{} cannot be written: {}; the token is used up, ask for another".format(path, error)) from error
    return settings


def _fingerprint_in(token: str) -> str:
    secret, _, fingerprint = token.rpartition(".")
    if not secret or len(fingerprint) != _DIGITS or not _HEX.issuperset(fingerprint):
        raise Mistake("that is not a whole token; `penstock keys enrol HOST` prints one")
    return fingerprint


def _check_place(path: str) -> None:
    """A token should not be used up for a file that cannot be written."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Mistake(
            "{} cannot be written by this user; enrol as root, or name another file with --config".format(path)
        )


def _asked(server: str, token: str, ca_file: str) -> dict[str, Any]:
    connection = Connection(server, trust_in(server, ca_file))
    try:
        headers = {"Content-Type": "application/json", "Host": connection.authority}
        answer = connection.exchange("POST", "/enrol", headers, json.dumps({"token": token}).encode(), _PATIENCE)
    finally:
        connection.close()
    refuse(answer)
    return object_in(answer.body)


def _settings(answer: dict[str, Any], server: str, ca_file: str, state: str, plain_http: bool) -> Settings:
    more = {"state": os.path.abspath(state)} if state else {}
    names = ("host", "access_key_id", "secret_access_key", "region")
    if not all(isinstance(answer.get(name), str) and answer[name] for name in names):
        raise Mistake("{} answered with what is no enrolment: is it a Penstock server?".format(server))
    return Settings(
        server=server,
        ca_file=os.path.abspath(ca_file) if ca_file else "",
        plain_http=plain_http,
        signing_key=PinnedKey.from_json(answer.get("signing_key")),
        **{name: answer[name] for name in names},
        **more,
    )
