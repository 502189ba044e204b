"""Every AWS call, in the order in which they took effect, in memory and in a file that outlives the server."""

import json
import re
import threading
from pathlib import Path
from typing import Any

from support.asked import Asked

_CODES = (rb'"__type":\s*"([^"]+)"', rb"<Code>([^<]+)</Code>", rb'"code":\s*"([^"]+)"')


class Record:
    """*file*: one call a line, as JSON; see `support.cloud.Call`."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file.open("a", encoding="utf-8"), threading.Lock()
        self._calls: list[dict[str, Any]] = []
        self._number = 0

    def add(self, asked: Asked, who: str, at: float, answer: tuple[int, bytes] | None, carried_out: bool) -> None:
        """*answer*: status and body; None when the connection broke."""
        status, body = answer if answer is not None else (0, b"")
        with self._lock:
            self._number += 1
            call = {
                "number": self._number,
                "at": at,
                "who": who,
                "service": asked.service,
                "operation": asked.operation,
                "params": asked.params,
                "region": asked.region,
                "access_key": asked.access_key,
                "mutating": asked.mutating,
                "status": status,
                "code": _code(body) if status >= 400 else "",
                "carried_out": carried_out,
            }
            self._calls.append(call)
            self._file.write(json.dumps(call) + "\n")
            self._file.flush()

    def calls(self, who: str) -> list[dict[str, Any]]:
        """*who* "*": everyone's."""
        with self._lock:
            return [call for call in self._calls if who in ("*", call["who"])]

    def forget(self) -> None:
        """The file keeps them."""
        with self._lock:
            self._calls = []


def _code(body: bytes) -> str:
    for pattern in _CODES:
        if found := re.search(pattern, body):
            return found[1].decode().rpartition("#")[2]
    return ""
