"""An AWS that says what a test tells it to: a real HTTP server that plays a list of answers and keeps what it was asked.

    with scripted_aws(refusal(429, "TooManyRequestsException"), answer({"Functions": []})) as aws:
        ...
        assert [each.operation for each in aws.asked] == ["ListFunctions", "ListFunctions"]

The last answer is repeated for ever. Calls of STS take from `aws.sts` instead, where that is not empty.
"""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs

from moto_server import CREDENTIALS

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


class Answer(NamedTuple):
    """*status* 0: the connection is closed without a word."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Asked(NamedTuple):
    service: str  # as it signs: elasticloadbalancing, monitoring ...
    region: str
    access_key: str
    method: str
    path: str
    form: dict[str, list[str]]


def answer(body: object) -> Answer:
    return Answer(200, json.dumps(body).encode())


def refusal(status: int, code: str, message: str = "") -> Answer:
    """As the services with JSON in REST form say it, Lambda among them."""
    return Answer(status, json.dumps({"message": message}).encode(), (("x-amzn-ErrorType", code),))


def query_refusal(status: int, code: str, message: str) -> Answer:
    """As the older services say it: STS, ELB, Auto Scaling."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode())


def assumed(access_key: str, expires: str) -> Answer:
    credentials = (
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
        f"<SessionToken>token</SessionToken><Expiration>{expires}</Expiration>"
    )
    user = "<Arn>arn:aws:sts::111122223333:assumed-role/deploy/penstock</Arn><AssumedRoleId>A:penstock</AssumedRoleId>"
    inner = f"<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
    return Answer(
        200, f"<AssumeRoleResponse><AssumeRoleResult>{inner}</AssumeRoleResult></AssumeRoleResponse>".encode()
    )


SILENCE = Answer(0)


class ScriptedAws:
    def __init__(self, url: str, answers: list[Answer]) -> None:
        self.url = url
        self.answers = answers
        self.sts: list[Answer] = []
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    @property
    def environ(self) -> dict[str, str]:
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            answers = self.sts if asked.service == "sts" and self.sts else self.answers
            return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def scripted_aws(*answers: Answer) -> Iterator[ScriptedAws]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    script = ScriptedAws(f"http://127.0.0.1:{server.server_address[1]}", list(answers))
    _Handler.scripts[server.server_address[1]] = script
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripts: dict[int, ScriptedAws] = {}

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        key, region, service = found.groups() if found else ("", "", "")
        asked = Asked(service, region, key, self.command, self.path, parse_qs(body.decode(errors="replace")))
        says = self.scripts[self.server.server_address[1]].take(asked)
        if not says.status:
            self.close_connection = True
            return
        self.send_response(says.status)
        for name, value in says.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(says.body)))
        with contextlib.suppress(OSError):  # who asked waits no longer
            self.end_headers()
            self.wfile.write(says.body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None: ...
