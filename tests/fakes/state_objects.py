"""Contents in memory, as S3 and PostgreSQL keep them; and a way to step between two requests."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable

from runner.ports.state_objects import Found


class FakeObjects:
    """*met*: called before each request with what it is (`create log/0000000001`); what it raises is raised."""

    address = "memory"

    def __init__(self) -> None:
        self.there: dict[str, tuple[bytes, str, float]] = {}
        self.met: Callable[[str], None] = lambda request: None
        self._tags = itertools.count(1)
        self._lock = threading.Lock()

    def create(self, name: str, content: bytes) -> str | None:
        self.met(f"create {name}")
        with self._lock:
            return None if name in self.there else self._put(name, content)

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        self.met(f"replace {name}")
        with self._lock:
            return self._put(name, content) if name in self.there and self.there[name][1] == tag else None

    def find(self, name: str) -> Found | None:
        self.met(f"find {name}")
        with self._lock:
            if name not in self.there:
                return None
            content, tag, written_at = self.there[name]
            return Found(content, tag, time.monotonic() - written_at)

    def names(self, prefix: str, after: str = "") -> list[str]:
        self.met(f"names {prefix}")
        with self._lock:
            return sorted(each for each in self.there if each.startswith(prefix) and each > after)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self.met(f"remove {name}")
            with self._lock:
                self.there.pop(name, None)

    def beside(self) -> "FakeObjects":
        return self

    def close(self) -> None:
        pass

    def _put(self, name: str, content: bytes) -> str:
        tag = str(next(self._tags))
        self.there[name] = (content, tag, time.monotonic())
        return tag
