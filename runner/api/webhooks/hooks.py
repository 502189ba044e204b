"""Which repositories have a webhook, and the secrets that its deliveries are signed with."""

import asyncio
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple

from runner.config import RepositoryConfig, secret
from runner.errors import UserError
from runner.log import Secret, get_logger
from runner.model.delivery import Sender
from runner.threads import in_thread

EVERY = 30.0  # seconds between two readings of the secrets
_MOST = 2  # secrets of one webhook: an old and a new one

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


class Hooks:
    """All webhooks. *read*: looks up the reference to a secret. Secrets are read again every half minute."""

    def __init__(self, repositories: Iterable[RepositoryConfig], read: Callable[[str], Secret] = secret) -> None:
        self._read = read
        self._configs = {each.name: each.webhook for each in repositories if each.webhook is not None}
        self._nobody = Hook("", "github", _macs([]), known=False)
        self._hooks: dict[str, Hook] = {}
        self._missing: dict[str, str] = {}  # repository to what was said of it last
        self.refresh()

    def of(self, name: str) -> Hook:
        """The hook of repository *name*; one that nothing is signed for where it has none."""
        return self._hooks.get(name, self._nobody)

    def refresh(self) -> None:
        """Read all secrets. May block. A hook whose secrets are all missing refuses everything, and the log says why."""
        hooks = {}
        for name, config in self._configs.items():
            found, trouble = self._found(config.secrets)
            hooks[name] = Hook(name, config.sender, _macs(found))
            if trouble != self._missing.get(name, ""):
                self._missing[name] = trouble
                if trouble:
                    log.error("secret of a webhook is missing", repository=name, error=trouble, usable=len(found))
        self._hooks = hooks

    async def run(self) -> None:
        """Keep the secrets fresh until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await in_thread(self.refresh)

    def _found(self, references: Iterable[str]) -> tuple[list[bytes], str]:
        found, trouble = [], ""
        for reference in references:
            try:
                found.append(os.fsencode(self._read(reference).reveal()))
            except UserError as error:
                trouble = error.message
        return found, trouble


def _macs(found: list[bytes]) -> "tuple[hmac.HMAC, ...]":
    padded = [*found, *(secrets.token_bytes(32) for _ in range(_MOST - len(found)))]
    return tuple(hmac.new(each, digestmod="sha256") for each in padded)
