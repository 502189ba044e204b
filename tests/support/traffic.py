"""Requests in parallel to a port of the data plane, and what became of each.

with Load(port, parallel=8) as load:
    load.wait_for(200)
assert not load.failures and load.share("web:2", last=100) == pytest.approx(0.1, abs=0.02)
"""

import asyncio
import threading
import time
from collections import Counter
from typing import Self

from support.balancer import Message, read_message

_PATIENCE = 60.0  # seconds
_PAUSE = 0.002  # seconds between a client's requests; the cloud needs the processor, too


class Load:
    """*parallel* clients that keep their connections, until the block ends; then requests under way are waited for."""

    def __init__(self, port: int, parallel: int = 8, path: str = "/", **headers: str) -> None:
        self._port, self._parallel = port, parallel
        self._request = Message(f"GET {path} HTTP/1.1", {"host": "load.example", **headers}, b"").sent()
        self.answers: list[str] = []  # bodies, in the order in which they came
        self.failures: list[str] = []  # other statuses than 200, and broken connections
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, answers: int) -> None:
        """Until so many more requests were answered or failed."""
        wanted, limit = self._done() + answers, time.monotonic() + _PATIENCE
        while self._done() < wanted:
            assert time.monotonic() < limit, f"{len(self.answers)} answers, {self.failures[:3]}"
            time.sleep(0.005)

    def shares(self, last: int | None = None) -> Counter[str]:
        """How often each body came, in all or among the *last* answers."""
        return Counter(self.answers if last is None else self.answers[-last:])

    def share(self, body: str, last: int) -> float:
        return self.shares(last)[body] / last

    def _done(self) -> int:
        return len(self.answers) + len(self.failures)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._parallel)))

    async def _client(self) -> None:
        while not self._over.is_set():
            try:
                await self._converse()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(repr(error))
                await asyncio.sleep(_PAUSE)

    async def _converse(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while not self._over.is_set():
                writer.write(self._request)
                async with asyncio.timeout(_PATIENCE):
                    answer = await read_message(reader)
                if answer is None:
                    raise ConnectionResetError("closed without an answer")
                self._take(answer)
                await asyncio.sleep(_PAUSE)
        finally:
            writer.close()

    def _take(self, answer: Message) -> None:
        status = answer.first.split(" ")[1]
        if status == "200":
            self.answers.append(answer.body.decode())
        else:
            self.failures.append(status)
