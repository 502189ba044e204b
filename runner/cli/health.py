"""`penstock health`: for health checks of containers, and of whoever watches over them."""

import argparse
import os

DESCRIPTION = """\
Says whether a process drives the state folder and, if it listens, whether it answers /healthz well. Needs no configuration:
the process has written into the state folder who it is and where it listens. Ends with 0 when all is well, else with 3. The
container's image uses it as its health check."""
EXAMPLE = """\
penstock --state /var/lib/penstock health"""

_PATIENCE = 5.0  # seconds
_MOST = 65536  # bytes of an answer


def declare(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.errors import WorldError
    from runner.store.lock import holder
    from runner.wiring import state_folder

    folder = state_folder(arguments.state, os.environ, "`penstock health`")
    if (found := holder(folder)) is None:
        raise WorldError(f"no process drives the state folder {folder}")
    told = _ask(found.url) if found.url else {"status": "ok"}
    if arguments.output == "json":
        import json

        print(json.dumps({"process": found.name, "url": found.url, **told}))
    else:
        print(f"{found.name} drives the state folder {folder}" + (f" and answers at {found.url}" if found.url else ""))
    return exits.FINE


def _ask(url: str) -> dict[str, object]:
    """What /healthz says. Raises `WorldError`: no answer, or not a good one."""
    import http.client
    import json

    from runner.errors import WorldError

    try:
        status, body = _get(url)
    except (OSError, http.client.HTTPException) as error:
        raise WorldError(f"{url} does not answer: {error}") from error
    if status != 200:
        raise WorldError(f"{url} answers /healthz with {status}: {body.decode(errors='replace')[:500]}")
    told: dict[str, object] = json.loads(body)
    return told


def _get(url: str) -> tuple[int, bytes]:
    import http.client
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host, port = _REACHED_AT.get(parts.hostname or "", parts.hostname or ""), parts.port
    if parts.scheme == "https":
        # This machine itself is asked, and sent nothing but the path: whose certificate it is makes no difference.
        context = ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=_PATIENCE, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST)
    finally:
        connection.close()


_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}
