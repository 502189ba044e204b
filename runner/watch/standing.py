"""How watching one repository goes: remembered for people, logged when it changes and not at every look."""

import datetime as dt
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from runner.errors import RunnerError
from runner.log import get_logger
from runner.model.status import RepositoryState
from runner.ports import Clock

Tell: TypeAlias = Callable[[RepositoryState], None]
"""Takes the state of a repository at its first answer, at each failure and at each recovery. May block a little."""


def tell_nobody(state: RepositoryState) -> None:
    """For those who only ask for the states."""


class Standing:
    """The standing of one repository."""

    def __init__(self, name: str, clock: Clock, tell: Tell) -> None:
        self.state = RepositoryState(name=name)
        self._clock = clock
        self._tell = tell
        self._log = get_logger(repository=name)

    def answered(self) -> None:
        """A look succeeded, and what it saw is recorded."""
        before = self.state
        self.state = RepositoryState(name=before.name, last_seen_at=self._clock())
        if before.failures:
            self._log.info("repository answered again", failures=before.failures)
        if before.failures or before.last_seen_at is None:
            self._told()

    def failed(self, error: Exception) -> None:
        """A look failed. An error that is not one of ours is a bug, and is logged whole each time."""
        ours = isinstance(error, RunnerError)
        message = str(error) if ours else f"internal error: {type(error).__name__}: {error}"
        if not ours:
            self._log.error("repository could not be read", exc_info=error)
        elif not self.state.failures:
            self._log.warning("repository could not be read", error=message)
        self.state = msgspec.structs.replace(self.state, failures=self.state.failures + 1, last_error=message)
        self._told()

    def waits(self, wait: dt.timedelta) -> None:
        """The next look is *wait* away."""
        self.state = msgspec.structs.replace(self.state, next_poll_at=self._clock() + wait)

    def _told(self) -> None:
        try:
            self._tell(self.state)
        except RunnerError as error:  # a full disk, say: that is no reason to stop watching
            self._log.warning("repository's state could not be recorded", error=str(error))
