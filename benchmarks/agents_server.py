"""The server of `benchmarks.agents`, as a process of its own: our listener, endpoint and desk, or the floor.

`python -m benchmarks.agents_server FOLDER AGENTS [floor]`. Says `{"listening": "HOST:PORT"}`, with the agents' keys in
FOLDER/keys.json by then, and answers each line of standard input with one line: `{"deliver": [host, ...]}` with the time
at which there was work (ns, monotonic), `{"held": 1}` with how many polls are held, `{"written": 1}` with when each host's
command was on its way: the answer given to the kernel. Ends with standard input.
"""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.recorded import BUNDLE, REVISION, record
from runner.api.awsjson import models
from runner.api.awsjson.service import Service
from runner.api.awsjson.tokens import Tokens
from runner.api.call import AsyncOperation, Call
from runner.api.endpoint import Endpoint
from runner.api.identity.limits import Limits
from runner.api.identity.verifier import Verifier
from runner.api.serving.listener import listener
from runner.api.site import Mounts, Site
from runner.config import Listening
from runner.model.appspec import AppSpec
from runner.model.command import Command, Job
from runner.model.target import Host
from runner.plan.lifecycle import server_in_place
from runner.platforms.agents.desk import Desk
from runner.ports.agents import Caller
from runner.store.store import Store

LONG = dt.timedelta(hours=1)


class Penstock:
    """The desk on a real store, behind real signatures. Only specifications are not asked for."""

    def __init__(self, folder: Path, agents: int) -> None:
        self._store = Store(folder / "state", server_in_place())
        self._write_keys(folder / "keys.json", agents)
        self._job = _job(self._store)
        self._desk = Desk(self._store.host_commands, NoSpecifications(), _now)
        self._deliveries: set[asyncio.Task[Any]] = set()
        self.written: dict[str, int] = {}

    async def serve(self, listening: Callable[[str], None]) -> None:
        service = Service(
            "CodeDeployCommandService_v20141006",
            "codedeploy-commands",
            models.commands,
            {"PollHostCommand": AsyncOperation(self._poll), "PutHostCommandComplete": AsyncOperation(self._complete)},
        )
        identity = Verifier(self._store.keys, _now)
        tokens = Tokens(b"the key of a benchmark")
        endpoint = Endpoint(
            [service], identity=identity, limits=Limits(), answers=self._store.answers, tokens=tokens, clock=_now
        )
        site = Site(dict, Mounts(api=endpoint))
        await asyncio.gather(
            self._desk.run(), identity.run(), listener(Listening(address="127.0.0.1:0"), site, listening)
        )

    def deliver(self, hosts: list[str]) -> None:
        for host in hosts:
            command = Command(
                job=self._job, host=Host(name=host, transport="agent"), lifecycle_event="ApplicationStop", attempt=1
            )
            delivery = asyncio.create_task(self._desk.carry_out(command, lambda text: None))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)

    def held(self) -> int:
        return len(self._desk._polls)

    async def _poll(self, call: Call) -> dict[str, Any]:
        caller = _caller(call)
        handed = await self._desk.poll(caller)
        if handed is None:
            return {}
        asyncio.get_running_loop().call_soon(self._note, caller.host)  # the answer is written without another wait
        command = {
            "HostCommandIdentifier": handed.identifier,
            "HostIdentifier": caller.identifier,
            "DeploymentExecutionId": handed.execution,
            "CommandName": handed.event,
            "Nonce": str(handed.attempt),
        }
        return {"HostCommand": command}

    def _note(self, host: str) -> None:
        self.written[host] = time.monotonic_ns()

    async def _complete(self, call: Call) -> dict[str, Any]:
        identifier, status = call.params["HostCommandIdentifier"], call.params["CommandStatus"]
        await self._desk.complete(_caller(call), identifier, status, "")
        return {}

    def _write_keys(self, file: Path, agents: int) -> None:
        keys = []
        with self._store._db.write():
            for number in range(agents):
                issued = self._store.keys.create("host", f"host-{number:05}", "", _now())
                keys.append((issued.principal.host, issued.principal.access_key_id, issued.secret.reveal()))
        file.write_text(json.dumps(keys))


class NoSpecifications:
    async def of(self, deployment_id: str, host: str, *, ours: bool) -> dict[str, Any]:
        raise NotImplementedError("agents of the benchmark do not ask for it")


class Floor:
    """The least that a server in asyncio can do: it holds the connections, and answers fixed bytes."""

    def __init__(self, folder: Path, agents: int) -> None:
        self._waiting: dict[str, asyncio.Transport] = {}
        self.written: dict[str, int] = {}
        keys = [(f"host-{number:05}", f"PK{number:018}", "secret") for number in range(agents)]
        (folder / "keys.json").write_text(json.dumps(keys))

    async def serve(self, listening: Callable[[str], None]) -> None:
        waiting = self._waiting

        class Connection(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                if b"PollHostCommand" in data:
                    waiting[json.loads(data.partition(b"\r\n\r\n")[2])["HostIdentifier"]] = self.transport
                else:
                    self.transport.write(_answer(b"{}"))

        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=4096)
        listening("{}:{}".format(*server.sockets[0].getsockname()))
        await server.serve_forever()

    def deliver(self, hosts: list[str]) -> None:
        for host in hosts:
            self._waiting.pop(host).write(_answer(b'{"HostCommand":{"HostCommandIdentifier":"x"}}'))
            self.written[host] = time.monotonic_ns()

    def held(self) -> int:
        return len(self._waiting)


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def _caller(call: Call) -> Caller:
    return Caller(call.principal.host or "", call.params.get("HostIdentifier", ""))


def _job(store: Store) -> Job:
    """A deployment that is recorded, and never driven."""
    return Job(
        deployment_id=record(store, _now()),
        application="shop",
        group="all",
        group_id="g",
        revision=REVISION,
        bundle=BUNDLE,
        appspec=AppSpec(),
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def _obey(server: Penstock | Floor) -> None:
    """Do what standard input says, until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        told = json.loads(line)
        if "deliver" in told:
            at = time.monotonic_ns()
            server.deliver(told["deliver"])
            _say(at=at)
        elif "written" in told:
            _say(written=server.written)
            server.written.clear()
        else:
            _say(held=server.held())


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def main(folder: Path, agents: int, kind: type[Penstock] | type[Floor]) -> None:
    server = kind(folder, agents)
    serving = asyncio.create_task(server.serve(lambda address: _say(listening=address)))
    obeying = asyncio.create_task(_obey(server))
    await asyncio.wait({serving, obeying}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Floor if "floor" in sys.argv[3:] else Penstock))
