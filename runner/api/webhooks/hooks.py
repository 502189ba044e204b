"""Which repositories have a webhook, and the secrets that its deliveries are signed with."""

import asyncio
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from runner.config import RepositoryConfig, secret
from runner.errors import RunnerError, UserError
from runner.log import Secret, get_logger
from runner.model.delivery import Sender
from runner.threads import in_thread

EVERY = 30.0  # seconds between two readings of the secrets
SHORTEST = 16  # bytes of a secret; a shorter one works, and is complained of
_MOST = 2  # secrets of one webhook: an old and a new one

Tell: TypeAlias = Callable[[Mapping[str, str]], None]
"""Takes all webhooks: repository to what is wrong with its secrets, "" for nothing. May block."""

log = get_logger()


class Hook(NamedTuple):
    """The webhook of one repository. *macs*: HMAC-SHA256, begun with each of its secrets; always two.

    Where a secret is missing there is a random one in its place, so that nobody can tell from how long an answer takes
    what is configured. The hook of a name that has none (*known* is False) has two of these.
    """

    repository: str
    sender: Sender
    macs: "tuple[hmac.HMAC, ...]"
    known: bool = True


def tell_nobody(problems: Mapping[str, str]) -> None:
    """For those who need the hooks alone."""


class Hooks:
    """All webhooks. *read*: looks up the reference to a secret. Secrets are read again every half minute; *tell* is told at
    the start, and when something has changed.
    """

    def __init__(
        self,
        repositories: Iterable[RepositoryConfig],
        read: Callable[[str], Secret] = secret,
        tell: Tell = tell_nobody,
    ) -> None:
        self._read, self._tell = read, tell
        self._configs = {each.name: each.webhook for each in repositories if each.webhook is not None}
        self._nobody = Hook("", "github", _macs([]), known=False)
        self._hooks: dict[str, Hook] = {}
        self._problems: dict[str, str] = {}  # by repository
        self._told: dict[str, str] | None = None
        self.refresh()

    def of(self, name: str) -> Hook:
        """The hook of repository *name*; one that nothing is signed for where it has none."""
        return self._hooks.get(name, self._nobody)

    def refresh(self) -> None:
        """Read all secrets. May block. A hook whose secrets are all missing refuses everything, and the log says why."""
        hooks, problems = {}, {}
        for name, config in self._configs.items():
            found, missing = self._found(config.secrets)
            short = [reference for reference, each in found.items() if len(each) < SHORTEST]
            hooks[name] = Hook(name, config.sender, _macs(list(found.values())))
            problems[name] = "; ".join([*missing, *map(_too_short, short)])
            if problems[name] and problems[name] != self._problems.get(name):
                what, say = ("missing", log.error) if missing else ("too short", log.warning)
                say(f"secret of a webhook is {what}", repository=name, error=problems[name], usable=len(found))
        self._hooks, self._problems = hooks, problems

    async def run(self) -> None:
        """Keep the secrets fresh until cancelled."""
        while True:
            await in_thread(self._tell_of_problems)
            await asyncio.sleep(EVERY)
            await in_thread(self.refresh)

    def _tell_of_problems(self) -> None:
        if self._problems == self._told:
            return
        try:
            self._tell(self._problems)
            self._told = self._problems
        except RunnerError as error:  # a full disk, say: it is tried again, and the hooks work meanwhile
            log.warning("the webhooks' state could not be recorded", error=error.message)

    def _found(self, references: Iterable[str]) -> tuple[dict[str, bytes], list[str]]:
        """Secrets by their references, and what is said of those that are missing."""
        found, missing = {}, []
        for reference in references:
            try:
                found[reference] = os.fsencode(self._read(reference).reveal())
            except UserError as error:
                missing.append(error.message)
        return found, missing


def _too_short(reference: str) -> str:
    return f"the secret {reference} has fewer than {SHORTEST} characters; `openssl rand -hex 32` makes a good one"


def _macs(found: list[bytes]) -> "tuple[hmac.HMAC, ...]":
    padded = [*found, *(secrets.token_bytes(32) for _ in range(_MOST - len(found)))]
    return tuple(hmac.new(each, digestmod="sha256") for each in padded)
