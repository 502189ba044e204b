"""Tells whether this host could work: who it is, whether the server is there, knows its key and has the same time."""

from __future__ import annotations

import email.utils
import os
import sys
import time

from runner.host.agent.connection import Connection, trust_in
from runner.host.agent.errors import Rejected, Unreachable
from runner.host.agent.service import VERSION, Service
from runner.host.agent.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 15.0  # seconds
_MOST_SKEW = 300.0  # seconds that the server's clock and ours may differ


def findings(path: str) -> Iterator[tuple[bool, str]]:
    """What was found, line by line, and whether it is fine; ends early at what makes the rest pointless.

    Raises `Mistake` when the settings in the file *path* are no use.
    """
    settings = Settings.read(path)
    python = ".".join(map(str, sys.version_info[:3]))
    yield True, "agent {} on Python {} ({})".format(VERSION, python, os.uname().machine)
    yield True, "host {} with the key {}, from {}".format(settings.host, settings.access_key_id, path)
    yield True, "signing key {}".format(settings.signing_key.fingerprint()[:32])
    try:
        yield from _of_server(settings)
        yield _of_key(settings)
    except Unreachable as error:
        yield False, str(error)
    yield _of_state(settings.state)


def _of_server(settings: Settings) -> Iterator[tuple[bool, str]]:
    connection = Connection(settings.server, trust_in(settings.server, settings.ca_file))
    began = time.time()
    try:
        answer = connection.exchange("GET", "/", {"Host": connection.authority}, b"", _PATIENCE)
    finally:
        connection.close()
    took = time.time() - began
    yield True, "{} answers, in {:.0f} ms".format(settings.server, took * 1000)
    date = email.utils.parsedate_tz(answer.headers.get("date", ""))
    if date is not None:
        ahead = began + took / 2 - email.utils.mktime_tz(date)
        is_fine = abs(ahead) < _MOST_SKEW
        known = "{:.0f} s {}".format(abs(ahead), "ahead of" if ahead > 0 else "behind")
        what = "this host's clock is {} the server's".format("with" if abs(ahead) < 2 else known)
        yield is_fine, what if is_fine else what + ": set it, or no request will be taken"


def _of_key(settings: Settings) -> tuple[bool, str]:
    """Asks for a deployment that is not there: whoever knows the key says so, and nothing is handed out."""
    service = Service(settings)
    try:
        service.specification("CodeDeploy/{}/Prod/check".format(settings.region))
    except Rejected as error:
        if error.is_about_us:
            return False, "the server refuses the key: {}".format(error)
    finally:
        service.close()
    return True, "the server knows the key"


def _of_state(state: str) -> tuple[bool, str]:
    place = state
    while not os.path.isdir(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    is_fine = os.access(place, os.W_OK | os.X_OK)
    return is_fine, "the state folder {} can{} be written by this user".format(state, "" if is_fine else "not")
