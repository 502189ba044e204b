"""Serves an endpoint of the wire API on a real socket, for boto3 clients.

    with Rig(codedeploy={"GetApplication": Operation(get_application)}) as rig:
        rig.client().get_application(applicationName="shop")              # an admin's boto3 client
        rig.client(role="reader")
        rig.command_client(host="web-1").poll_host_command(...)           # an agent's
        rig.post("CodeDeploy_20141006.GetApplication", b"{}")             # -> (status, headers, body), as admin, unchecked

*codedeploy* and *commands* are the merged dicts of operations. Signatures are taken as they are: the access key id says
who calls (`PKADMIN`, `PKREADER`, `PKDEPLOYER`, `PKHOST.web-1`), until *identity* is given. *answers*: the real ones of a
store; without, changes are run plainly. Answers are checked strictly against the model: a wrong member is a 500.
"""

import asyncio
import datetime as dt
import http.client
import json
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
import uvicorn
from botocore.config import Config
from command_clients import command_client

from runner.api.awsjson import models
from runner.api.awsjson.service import Service
from runner.api.awsjson.tokens import Tokens
from runner.api.call import AsyncOperation, Operation
from runner.api.endpoint import Endpoint
from runner.api.identity.limits import Limits
from runner.errors import Refused, UserError
from runner.model.identity import Principal
from runner.ports.identity import Answer, Answers, Identity, SignedRequest

Operations = Mapping[str, Operation | AsyncOperation]


class TrustingIdentity:
    """Believes the access key id, and checks no signature."""

    def identify(self, request: SignedRequest, services: frozenset[str]) -> Principal:
        claimed = re.search(rb"Credential=PK([A-Z]+)\.?([^/]*)/", dict(request.headers).get(b"authorization", b""))
        if not claimed:
            raise Refused("MissingAuthenticationTokenException", "the request is not signed")
        role, host = claimed[1].decode().lower(), claimed[2].decode()
        return Principal(access_key_id=f"PK{role.upper()}", role=role, host=host or None)  # type: ignore[arg-type]


class PlainAnswers:
    """Runs everything, and remembers nothing."""

    def once(
        self,
        fingerprint: str,
        work: Callable[[], Answer],
        refused: Callable[[UserError], Answer],
        now: dt.datetime,
    ) -> Answer:
        try:
            return work()
        except UserError as error:
            return refused(error)


@cache
def _session() -> boto3.Session:
    """One for all clients: it reads the service's model, which takes a tenth of a second."""
    return boto3.Session(region_name="us-east-1")


class _Server(uvicorn.Server):
    """Ends when it is told to, and not up to a tenth of a second later."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.ended.wait()


class Rig:
    """See above. *keys*: role -> (access key id, secret), for a real *identity*."""

    def __init__(
        self,
        codedeploy: Operations | None = None,
        commands: Operations | None = None,
        *,
        identity: Identity | None = None,
        answers: Answers | None = None,
        limits: Limits | None = None,
        keys: Mapping[str, tuple[str, str]] | None = None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        agents = commands or {}
        self.endpoint = Endpoint(
            [
                Service("CodeDeploy_20141006", "codedeploy", models.codedeploy, codedeploy or {}, strict=True),
                Service(
                    "CodeDeployCommandService_v20141006", "codedeploy-commands", models.commands, agents, strict=True
                ),
                Service(
                    "CodeDeployCommandService",
                    "codedeploy-commands-secure",
                    models.commands_secure,
                    agents,
                    strict=True,
                ),
            ],
            identity=identity or TrustingIdentity(),
            limits=limits or Limits(rate=1e6, burst=1e6),
            answers=answers or PlainAnswers(),
            tokens=Tokens(b"a key of the rig's own"),
            clock=clock,
        )
        self._keys = keys or {}
        self._clients: dict[str, Any] = {}
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="rig", daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-rig-")
        config = uvicorn.Config(
            self.endpoint, log_config=None, lifespan="off", access_log=False, timeout_keep_alive=600
        )
        # asyncio spares the delay of small segments only for sockets that say that they are TCP.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(2048)
        self.port: int = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._server = _Server(config)
        self._thread.start()
        if not self._started.wait(20):
            raise AssertionError("the rig did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.force_exit = True  # polls that are still held are cut off
        self.loop.call_soon_threadsafe(self._server.ended.set)
        self._thread.join(20)
        self._socket.close()
        self._folder.cleanup()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            self.loop.call_soon(self._started.set)  # the socket listens already; whoever connects waits for accept
            await self._server.serve([self._socket])

        asyncio.run(serve())

    def client(self, role: str = "admin", **config: Any) -> Any:
        """A boto3 `codedeploy` client, made once for a role. *config*: for botocore's `Config`; makes a new one."""
        if role in self._clients and not config:
            return self._clients[role]
        key, secret = self._keys.get(role, (f"PK{role.upper()}", "secret"))
        settings: dict[str, Any] = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "proxies": {}, **config}
        client = _session().client(
            "codedeploy",
            endpoint_url=self.address,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(**settings),
        )
        return client if config else self._clients.setdefault(role, client)

    def command_client(self, host: str, *, secure: bool = False, **options: Any) -> Any:
        """A boto3 client of the command API with the key of *host*. *options*: see `command_client`."""
        key, secret = self._keys.get(f"host {host}", (f"PKHOST.{host}", "secret"))
        return command_client(
            self.address,
            Path(self._folder.name),
            access_key_id=key,
            secret_access_key=secret,
            secure=secure,
            **options,
        )

    def connection(self) -> http.client.HTTPConnection:
        """For many `post` in a row."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def post(
        self,
        target: str,
        body: bytes | str | dict[str, Any],
        *,
        role: str = "admin",
        method: str = "POST",
        path: str = "/",
        connection: http.client.HTTPConnection | None = None,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request as it is, without botocore's checks, and without a valid signature. -> status, headers, body.

        *headers*: `content_type="text/plain"`; "" leaves one out.
        """
        sent = {
            "content-type": "application/x-amz-json-1.1",
            "authorization": f"AWS4-HMAC-SHA256 Credential=PK{role.upper()}/20260101/us-east-1/codedeploy/aws4_request",
            "x-amz-target": target,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        used = connection or self.connection()
        try:
            used.request(
                method,
                path,
                json.dumps(body) if isinstance(body, dict) else body,
                {name: value for name, value in sent.items() if value},
            )
            answer = used.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            if used is not connection:
                used.close()
