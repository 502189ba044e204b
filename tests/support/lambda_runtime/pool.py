"""The environments of all functions: started when an event finds none that is idle, a few for each function."""

import contextlib
import threading

from support.lambda_runtime.environment import Environment, Function, Result

_AT_ONCE = 4  # environments of one function; further events wait


class Pool:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: dict[Function, list[Environment]] = {}
        self._all: dict[Function, list[Environment]] = {}

    def invoke(self, function: Function, payload: bytes) -> Result:
        """Run *function* with *payload*, wait until it ends."""
        environment = self._take(function)
        try:
            return environment.invoke(payload)
        finally:
            self._give_back(environment)

    def close(self) -> None:
        """Ends all processes, also those that still run a function."""
        with self._changed:
            ending = [each for several in self._all.values() for each in several]
            self._all, self._idle = {}, {}
            self._changed.notify_all()
        for each in ending:
            with contextlib.suppress(OSError):
                each.close()

    def _take(self, function: Function) -> Environment:
        with self._changed:
            while True:
                if idle := self._idle.get(function):
                    return idle.pop()
                if len(self._all.setdefault(function, [])) < _AT_ONCE:
                    made = Environment(function)
                    self._all[function].append(made)
                    return made
                self._changed.wait()

    def _give_back(self, environment: Environment) -> None:
        with self._changed:
            if environment in self._all.get(environment.function, ()):
                self._idle.setdefault(environment.function, []).append(environment)
            self._changed.notify()
