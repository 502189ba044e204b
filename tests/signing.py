"""Requests signed by botocore's own signer, as the listener hands them to whoever verifies them."""

import datetime as dt
from collections.abc import Iterable, Mapping
from unittest.mock import patch  # of the clock that botocore takes no other way

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from runner.ports.identity import IssuedKey, SignedRequest

POLL = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "CodeDeployCommandService_v20141006.PollHostCommand",
}
HOST = "127.0.0.1:8300"


def signed(
    key: IssuedKey,
    now: dt.datetime,
    *,
    method: str = "POST",
    target: str = "/",
    headers: Mapping[str, str] = POLL,
    body: bytes = b'{"HostIdentifier": "web-1"}',
    service: str = "codedeploy-commands",
    region: str = "us-east-1",
    token: str | None = None,
    client: str = "192.0.2.1",
) -> SignedRequest:
    """*target*: path and query, percent-encoded, as in the request's first line."""
    request = AWSRequest(method, f"http://{HOST}{target}", dict(headers) | {"Host": HOST}, body)
    credentials = Credentials(key.principal.access_key_id, key.secret.reveal(), token)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
    with patch("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None)):
        signer.add_auth(request)
    path, _, query = target.partition("?")
    return SignedRequest(method, path, query, wire(request.headers.items()), body, client)


def wire(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("utf-8")) for name, value in headers]


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    """With other headers (underscores stand for hyphens); None takes one away."""
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = [(name, value) for name, value in request.headers if name.decode() not in new]
    return request._replace(headers=kept + wire((name, value) for name, value in new.items() if value is not None))


def header(request: SignedRequest, name: str) -> str:
    return dict(request.headers)[name.encode()].decode()
