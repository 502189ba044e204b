"""Reads that lag behind writes: while a lag is set, a read is answered from a copy of the state that is that old.

Copies are made after every mutating call, of the backends of that call's service only, and only while a lag is set.
"""

import contextlib
import copy
import copyreg
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend

State = dict[BaseBackend, dict[str, Any]]


class Lag:
    """*seconds* 0: reads show what is."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._states: dict[str, list[tuple[float, State]]] = defaultdict(list)  # service: when it began, oldest first
        _share_locks_and_threads()

    def set(self, seconds: float) -> None:
        self._seconds = seconds
        self._states.clear()

    def before_write(self, service: str) -> None:
        """Keeps what reads will still show for a while."""
        if self._seconds and not self._states[service]:
            self._states[service].append((0.0, _copy(service)))

    def after_write(self, service: str) -> None:
        if self._seconds:
            copied = _copy(service)
            self._states[service].append((time.monotonic(), copied))

    @contextlib.contextmanager
    def reading(self, service: str) -> Iterator[None]:
        """Within it, the backends of *service* hold the state of `seconds` ago."""
        shown = self._shown(service)
        if shown is None:
            yield
            return
        now = {backend: backend.__dict__ for backend in shown}
        for backend, state in shown.items():
            backend.__dict__ = state
        try:
            yield
        finally:
            for backend, state in now.items():
                backend.__dict__ = state

    def _shown(self, service: str) -> State | None:
        """The newest state that is old enough; None where that is the present one."""
        states, until = self._states[service], time.monotonic() - self._seconds
        while len(states) > 1 and states[1][0] <= until:
            states.pop(0)
        if len(states) > 1:
            return states[0][1]
        states.clear()  # the copy of the present is of no more use
        return None


def _copy(service: str) -> State:
    """Of all its accounts and regions. What belongs to other services' backends is shared, not copied."""
    ours, others = [], []
    for name, backend in _backends():
        (ours if name == service else others).append(backend)
    shared = {id(each): each for each in (*ours, *others)}
    return {backend: copy.deepcopy(backend.__dict__, dict(shared)) for backend in ours}


def _backends() -> list[tuple[str, BaseBackend]]:
    return [
        (found.service_name, backend)
        for found in list(BackendDict._instances)
        for account in list(found.values())
        for backend in list(account.values())
    ]


def _share_locks_and_threads() -> None:
    """Copies of a state have the same locks and threads as the state itself."""
    for kind in (type(threading.Lock()), type(threading.RLock()), threading.Thread, threading.Event):
        copyreg.pickle(kind, lambda _: "")  # copy.deepcopy takes a string for: the same object
