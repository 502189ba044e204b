"""`python -m benchmarks.watch_server`: answers every poll with what git once answered, and costs as little as can be.

A real `git http-backend` starts a process for each request and would take both cores for itself. Says its address and then,
for each line on standard input, how many polls it has answered, as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httptools

BRANCHES = 10
_GIT = {**os.environ, "GIT_PROTOCOL": "version=2", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_AUTHOR = {f"GIT_{who}_{what}": "b@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_ASKED = b"0014command=ls-refs\n00010009peel\n001bref-prefix refs/heads/\n0000"


def recorded() -> tuple[bytes, bytes]:
    """What git says that it speaks, and the refs of a repository with `BRANCHES` branches."""
    with TemporaryDirectory() as name:
        folder = Path(name)

        def git(*arguments: str, **how: Any) -> bytes:
            command = ["git", *arguments]
            return subprocess.run(
                command, cwd=folder, env={**_GIT, **_AUTHOR}, capture_output=True, check=True, **how
            ).stdout

        git("init", "--quiet", "--initial-branch=main")
        git("commit", "--quiet", "--allow-empty", "--message", "first")
        for number in range(BRANCHES - 1):
            git("branch", f"topic-{number}")
        advertised = git("upload-pack", "--stateless-rpc", "--advertise-refs", ".")
        return advertised, git("upload-pack", "--stateless-rpc", ".", input=_ASKED)


class Answers(asyncio.Protocol):
    """One connection."""

    polls = 0

    def __init__(self, advertised: bytes, refs: bytes) -> None:
        self._advertised, self._refs = _reply("advertisement", advertised), _reply("result", refs)
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(self._advertised)
        else:
            Answers.polls += 1
            self._transport.write(self._refs)


def _reply(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def main() -> None:
    loop, bodies = asyncio.get_running_loop(), recorded()
    server = await loop.create_server(lambda: Answers(*bodies), "127.0.0.1", 0)
    print(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"polls": Answers.polls}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
