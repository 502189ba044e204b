"""HAProxy's runtime API: one connection, one line of commands, one answer. Knows no deployments.

Source: HAProxy management guide, "Unix Socket commands": `set server`, `show stat`, `show cli level`.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from runner.errors import LoadBalancerFailed

ANSWER_WITHIN = 10.0  # seconds

_HEAD = "# pxname,"
_SERVERS = 4  # in `show stat`: the type of rows to show


class Server(NamedTuple):
    """A server of a backend, as `show stat` has it. *check*: how its last health check went, "" without checks."""

    status: str
    sessions: int  # under way, and waiting for the server
    weight: str
    check: str

    @property
    def is_up(self) -> bool:
        """It gets traffic. `UP 1/2` is on its way down, but not there."""
        return self.status == "no check" or self.status.partition(" ")[0] == "UP"

    @property
    def is_fit(self) -> bool:
        """Its checks pass, if it has any; `DRAIN 1/2` only means that none has failed since it left maintenance."""
        return self.status in ("UP", "DRAIN", "no check")

    @property
    def is_in_maintenance(self) -> bool:
        return self.status.partition(" ")[0] == "MAINT"

    @property
    def is_idle(self) -> bool:
        return self.sessions == 0


class RuntimeApi:
    """The runtime API at *address*: the path of a socket, or HOST:PORT. Asks one question at a time.

    HAProxy serves ten connections of this kind at once unless told otherwise; a thousand hosts that wait must not fill them.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._turn = asyncio.Lock()

    async def servers(self, backend: str) -> dict[str, Server]:
        """The servers of *backend* by name. Raises `LoadBalancerFailed`."""
        return _servers(await self._ask(_show(backend)), self.address)

    async def set_state(self, backend: str, server: str, state: str) -> Server:
        """Set a server's state (`ready`, `drain` or `maint`; no harm where it has it) and tell how it is then.

        Raises `LoadBalancerFailed`.
        """
        answer = await self._ask(f"set server {backend}/{server} state {state};{_show(backend)}")
        return _servers(answer, self.address)[server]

    async def is_admin(self) -> bool:
        """Whether it may set states. Raises `LoadBalancerFailed`."""
        return "admin" in (await self._ask("show cli level")).split()

    async def _ask(self, line: str) -> str:
        try:
            async with self._turn, asyncio.timeout(ANSWER_WITHIN):
                return await self._talk(line)
        except TimeoutError as error:
            raise LoadBalancerFailed(f"{self.address} did not answer within {ANSWER_WITHIN:g} s") from error
        except PermissionError as error:
            message = (
                f"{self.address} may not be opened by this user; see `mode`, `user` and `group` of its stats socket"
            )
            raise LoadBalancerFailed(message, retryable=False) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise LoadBalancerFailed(f"{self.address} cannot be reached: {reason}; is HAProxy running?") from error

    async def _talk(self, line: str) -> str:
        reader, writer = await self._connect()
        try:
            writer.write(line.encode() + b"\n")
            await writer.drain()
            return (await reader.read()).decode(errors="replace")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "/" in self.address:
            return await asyncio.open_unix_connection(self.address)
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))


def _show(backend: str) -> str:
    return f"show stat {backend} {_SERVERS} -1"


def _servers(answer: str, address: str) -> dict[str, Server]:
    """What stands before the table is a refusal; an order that was obeyed says nothing."""
    said, head, table = answer.partition(_HEAD)
    if refusal := said.strip():
        raise LoadBalancerFailed(_refused(refusal, address), retryable=False)
    if not head:
        raise LoadBalancerFailed(f"{address} does not answer as HAProxy's runtime API does", retryable=False)
    names, *rows = (head + table).removeprefix("# ").splitlines()
    columns = names.split(",")
    cells = [dict(zip(columns, row.split(","), strict=False)) for row in rows if row]
    return {each["svname"]: _server(each) for each in cells}


def _server(cells: Mapping[str, str]) -> Server:
    said = (cells.get("check_status", "").removeprefix("* "), cells.get("check_desc", ""), cells.get("last_chk", ""))
    return Server(
        status=cells["status"],
        sessions=int(cells["scur"] or 0) + int(cells["qcur"] or 0),
        weight=cells["weight"],
        check=", ".join(filter(None, said)),
    )


def _refused(refusal: str, address: str) -> str:
    if refusal.startswith("Permission denied"):
        return f"{address} refused the order; its `stats socket` needs `level admin`"
    return f"{address} refused: {refusal.rstrip('.')}"
