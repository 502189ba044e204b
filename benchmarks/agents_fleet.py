"""Agents of `benchmarks.agents`, many in one process: each polls on a connection of its own, completes what it is given
without doing it, and polls again.

`python -m benchmarks.agents_fleet HOST:PORT KEYS FROM TO`. Says `{"connected": n}` once all have asked, then
`{"host": name, "at": ns}` whenever a command has come. Ends with standard input.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_TARGET = "CodeDeployCommandService_v20141006."
_SIGN_AGAIN = 200.0  # seconds; a signature holds for 300
_WORK = 0.2  # seconds that a command takes
_AT_ONCE = 100  # connections that are opened side by side


class Agent(asyncio.Protocol):
    """Signs its poll once in a while, and sends the same bytes until then: what clients cost is not the question."""

    def __init__(self, address: str, host: str, key_id: str, secret: str) -> None:
        self._address, self.host, self._credentials = address, host, (key_id, secret)
        self._transport: Any = None
        self._received = b""
        self._poll, self._signed_at = b"", float("-inf")

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"{self.host} was answered {head.decode()} {body.decode()}")
        command = json.loads(body).get("HostCommand")
        if command is None:
            self._ask()
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(_say, self.host, at)  # after the stamps of those who were answered together with it
        loop.call_later(_WORK, self._complete, command)

    def _complete(self, command: dict[str, str]) -> None:
        done = {"HostCommandIdentifier": command["HostCommandIdentifier"], "CommandStatus": "Succeeded"}
        self._transport.write(self._request("PutHostCommandComplete", done))

    def connection_lost(self, exc: Exception | None) -> None:
        print(f"{self.host} lost its connection: {exc}", file=sys.stderr)

    def _ask(self) -> None:
        if time.monotonic() - self._signed_at > _SIGN_AGAIN:
            self._signed_at = time.monotonic()
            self._poll = self._request("PollHostCommand", {"HostIdentifier": self.host})
        self._transport.write(self._poll)

    def _request(self, operation: str, params: dict[str, str]) -> bytes:
        body = json.dumps(params).encode()
        headers = {
            "Host": self._address,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": _TARGET + operation,
            "X-Amz-Codedeploy-Agent-Version": "OFFICIAL_1.8.1-9_rpm",
            "User-Agent": "aws-sdk-ruby3/3.201.0 ruby/3.2.2 x86_64-linux aws-sdk-codedeploycommand/1.0.0",
            "Accept-Encoding": "",
            "Accept": "*/*",
        }
        request = AWSRequest("POST", f"http://{self._address}/", headers, body)
        SigV4Auth(Credentials(*self._credentials), "codedeploy-commands", "us-east-1").add_auth(request)
        lines = [f"{name}: {value}" for name, value in [*request.headers.items(), ("Content-Length", len(body))]]
        return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


def _say(host: str, at: int) -> None:
    print(json.dumps({"host": host, "at": at}), flush=True)


async def main(address: str, keys: list[tuple[str, str, str]]) -> None:
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    for at in range(0, len(keys), _AT_ONCE):
        agents = [Agent(address, *key) for key in keys[at : at + _AT_ONCE]]
        await asyncio.gather(*(loop.create_connection(lambda each=each: each, host, int(port)) for each in agents))
    print(json.dumps({"connected": len(keys)}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    some = slice(int(sys.argv[3]), int(sys.argv[4]))
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())[some]))
