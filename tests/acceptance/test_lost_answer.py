"""The server dies after it has committed a change and before its client has heard of it; the SDK asks again."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from serving import Server, serving

ROLE = "arn:aws:iam::111122223333:role/deployer"
NAMES = {"applicationName": "shop", "deploymentGroupName": "production"}
REVISION = {"revisionType": "GitHub", "gitHubLocation": {"repository": "o/n", "commitId": "a" * 40}}


class Door:
    """Stands between a client and *server*. While *lose* is set, an answer that arrives is thrown away, and *lose* called.

    *lost*: how many answers that were.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._client: socket.socket | None = None
        self.lose: Callable[[], None] | None = None
        self.lost = 0
        self._thread.start()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._listening.getsockname())

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        if self._client:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        """One connection after the other: this client has one at a time."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._client = client
                with client, contextlib.suppress(OSError):
                    while self._carries(client):
                        pass

    def _carries(self, client: socket.socket) -> bool:
        """One request and its answer. Returns whether the client has heard it, and may ask on."""
        place = urlsplit(self._server.url)
        with socket.create_connection((place.hostname, place.port), 60) as server:
            server.sendall(_message(client))
            answer = _message(server)
        if self.lose:
            lose, self.lose = self.lose, None
            lose()
            self.lost += 1
            return False
        client.sendall(answer)
        return True


def _message(connection: socket.socket) -> bytes:
    """A whole HTTP message that says its length."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += _piece(connection)
    head, _, body = came.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        body += _piece(connection)
    return head + b"\r\n\r\n" + body


def _piece(connection: socket.socket) -> bytes:
    if piece := connection.recv(65536):
        return piece
    raise OSError("the connection ended")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    config = tmp_path / "penstock.toml"
    config.write_text(f'[hosts.web-1]\nfolder = "{tmp_path / "web-1"}"\ntags = {{app = "shop"}}\n')
    with serving(config, tmp_path / "state") as running:
        yield running


@pytest.fixture
def door(server: Server) -> Iterator[Door]:
    made = Door(server)
    yield made
    made.close()


@pytest.fixture
def client(server: Server, door: Door) -> Iterator[Any]:
    key = {name.lower(): value for name, value in server.key("admin").items()}
    config = Config(retries={"total_max_attempts": 4, "mode": "standard"}, proxies={}, read_timeout=60)
    made = boto3.client("codedeploy", region_name="eu-west-1", endpoint_url=door.url, config=config, **key)
    yield made
    made.close()


def test_killed_before_its_answer_has_arrived_a_server_answers_the_same_and_does_nothing_twice(
    server: Server, door: Door, client: Any
) -> None:
    def dies() -> None:
        server.kill()
        server.start()

    door.lose = dies
    made = client.create_application(applicationName="shop")["applicationId"]
    assert client.get_application(applicationName="shop")["application"]["applicationId"] == made
    everywhere = [{"Key": "app", "Value": "shop", "Type": "KEY_AND_VALUE"}]
    client.create_deployment_group(**NAMES, serviceRoleArn=ROLE, onPremisesInstanceTagFilters=everywhere)

    door.lose = dies
    deployment = client.create_deployment(**NAMES, revision=REVISION)["deploymentId"]
    assert client.list_deployments(**NAMES)["deployments"] == [deployment]
    assert door.lost == 2
