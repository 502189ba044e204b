"""The data plane of the fake cloud's load balancers: a local HTTP port for a listener, which follows its rules and weights.

    plane = DataPlane(look)          # look(listener ARN) -> its rules as they are now, the default rule last
    port = plane.open(arn)

Rules are looked up anew every 20 ms. Weighted shares are exact (smooth round robin), not random. Every request goes to a
healthy target on a connection of its own; a request under way ends where it began, whatever happens to the target group.
Stickiness is not built.
"""

import asyncio
import contextlib
import fnmatch
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.complaints import complain

_TICK = 0.02  # seconds
_ANSWER_WITHIN = 60.0  # seconds; an application load balancer's idle time-out
_LINE = 64 * 1024  # bytes
_BODY = 16 * 1024 * 1024  # bytes
_HOP = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "upgrade")
_REASONS = {
    200: "OK",
    301: "Moved",
    302: "Found",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}


@dataclass(frozen=True)
class Group:
    """A target group. *targets*: host and port of each that requests may go to now."""

    arn: str
    weight: int
    targets: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Rule:
    """*conditions*: as DescribeRules tells them. *groups*: where it forwards to; else *fixed*: status, type and body."""

    arn: str
    conditions: tuple[dict[str, Any], ...] = ()
    groups: tuple[Group, ...] = ()
    fixed: tuple[int, str, str] | None = None

    def takes(self, request: "Message") -> bool:
        return all(_holds(condition, request) for condition in self.conditions)


@dataclass
class Traffic:
    """What a listener has seen. A request failed when the load balancer itself had to answer it with an error."""

    requests: int = 0
    failed: int = 0
    under_way: int = 0
    by_group: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        statuses = {str(status): number for status, number in self.by_status.items()}
        numbers = {"requests": self.requests, "failed": self.failed, "under_way": self.under_way}
        return {**numbers, "groups": dict(self.by_group), "statuses": statuses}


@dataclass(frozen=True)
class Message:
    """A request or an answer. *first*: its first line; *headers*: names in lower case."""

    first: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def path(self) -> str:
        return self.first.split(" ")[1].partition("?")[0]

    @property
    def query(self) -> str:
        return self.first.split(" ")[1].partition("?")[2]

    def sent(self, **changed: str) -> bytes:
        """As bytes, with a length and without the headers that belong to one connection."""
        kept = {name: value for name, value in self.headers.items() if name not in _HOP}
        headers = {**kept, "content-length": str(len(self.body)), **changed}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.first}\r\n{head}\r\n".encode("latin-1") + self.body


class DataPlane:
    """Local ports for listeners; one thread with a loop serves them all, and starts with the first."""

    def __init__(self, look: Callable[[str], list[Rule] | None]) -> None:
        self._look = look
        self._listeners: dict[str, _Listener] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, listener: str) -> int:
        """The port on 127.0.0.1 where *listener* answers."""
        if listener not in self._listeners:
            if (rules := self._look(listener)) is None:
                raise LookupError(f"no listener {listener}")
            self._listeners[listener] = _Listener(rules)
            self._run(self._listeners[listener].start())
        return self._listeners[listener].port

    def traffic(self, listener: str) -> dict[str, Any]:
        return self._listeners[listener].traffic.told()

    def forget(self, listener: str) -> None:
        self._listeners[listener].traffic = Traffic()

    def close(self) -> None:
        """Of all listeners; what is under way is cut."""
        listeners, self._listeners = self._listeners, {}
        for each in listeners.values():
            self._run(each.stop())

    def _run(self, work: Any) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="data-plane", daemon=True).start()
            threading.Thread(target=self._follow, name="data-plane-rules", daemon=True).start()
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def _follow(self) -> None:
        while True:
            for arn, listener in list(self._listeners.items()):
                try:
                    listener.rules = self._look(arn) or []
                except Exception:  # noqa: BLE001 - the other listeners, and the next look
                    complain()
            time.sleep(_TICK)


class _Listener:
    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.traffic = Traffic()
        self.port = 0
        self._shares: dict[str, Iterator[str]] = {}
        self._weights: dict[str, dict[str, int]] = {}
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=_LINE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for each in self._clients:
            each.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while (request := await read_message(reader)) is not None:
                writer.write(await self._answer(request))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the cloud is emptied
        finally:
            self._clients.discard(task)
            writer.close()

    async def _answer(self, request: Message) -> bytes:
        traffic = self.traffic
        traffic.under_way += 1
        try:
            status, group, sent = await self._forward(request)
        finally:
            traffic.under_way -= 1
        traffic.requests += 1
        traffic.by_status[status] += 1
        if group:
            traffic.by_group[group] += 1
        return sent

    async def _forward(self, request: Message) -> tuple[int, str, bytes]:
        """Status, target group, and the answer."""
        rule = next((each for each in self.rules if each.takes(request)), None)
        if rule is None:
            return self._failed(503, "")
        if rule.fixed:
            status, kind, body = rule.fixed
            return status, "", _made(status, body, kind)
        group = self._group(rule)
        if group is None or not group.targets:
            return self._failed(503, group.arn if group else "")
        host, port = group.targets[next(self._turns[group.arn]) % len(group.targets)]
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                answer = await _ask(host, port, request)
        except TimeoutError:
            return self._failed(504, group.arn)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            return self._failed(502, group.arn)
        return int(answer.first.split(" ")[1]), group.arn, answer.sent()

    def _failed(self, status: int, group: str) -> tuple[int, str, bytes]:
        self.traffic.failed += 1
        return status, group, _made(status, f"{status} {_REASONS[status]}\n")

    def _group(self, rule: Rule) -> Group | None:
        weights = {each.arn: each.weight for each in rule.groups if each.weight}
        if self._weights.get(rule.arn) != weights:
            self._weights[rule.arn], self._shares[rule.arn] = weights, shares(weights)
        chosen = next(self._shares[rule.arn], None)
        return next((each for each in rule.groups if each.arn == chosen), None)


def shares(weights: Mapping[str, int]) -> Iterator[str]:
    """Names for ever, each in its share, as evenly mixed as can be; none when all weights are 0."""
    total, due = sum(weights.values()), dict.fromkeys(weights, 0)
    while total:
        for name, weight in weights.items():
            due[name] += weight
        chosen = max(due, key=lambda name: due[name])
        due[chosen] -= total
        yield chosen


def _holds(condition: dict[str, Any], request: Message) -> bool:
    """Whether one condition of a rule is met; of its values one is enough. Patterns know * and ?."""
    kind = condition["Field"]
    config = next((value for name, value in condition.items() if name.endswith("Config")), {})
    values = config.get("Values") or condition.get("Values") or []
    if kind == "query-string":
        asked = dict(pair.partition("=")[::2] for pair in request.query.split("&"))
        return any(_is_like(asked.get(each.get("Key", ""), ""), each["Value"]) for each in values)
    seen = {
        "path-pattern": request.path,
        "host-header": request.headers.get("host", "").partition(":")[0].lower(),
        "http-header": request.headers.get(str(config.get("HttpHeaderName", "")).lower(), ""),
        "http-request-method": request.method,
    }
    return kind in seen and any(_is_like(seen[kind], each) for each in values)


def _is_like(seen: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(seen, pattern.replace("[", "[[]"))


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None when the other side has closed before it. Without a length, an answer lasts until the close."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "content-length" in headers:
        body = await reader.readexactly(min(int(headers["content-length"]), _BODY))
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.read(_BODY) if first.startswith("HTTP/") else b""
    return Message(first, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(min(size, _BODY) + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


async def _ask(host: str, port: int, request: Message) -> Message:
    reader, writer = await asyncio.open_connection(host, port, limit=_LINE)
    try:
        writer.write(request.sent(connection="close"))
        await writer.drain()
        answer = await read_message(reader)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if answer is None:
        raise ConnectionResetError("closed without an answer")
    return answer


def _made(status: int, body: str, kind: str = "text/plain") -> bytes:
    first = f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}"
    return Message(first, {"content-type": kind, "server": "awselb/2.0"}, body.encode()).sent()
