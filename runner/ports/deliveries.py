"""Webhook deliveries: where they are kept, and who looks when one has come."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from runner.model.delivery import Delivery, Taken


class Stored(NamedTuple):
    """*taken*: one for each delivery that was given, in order. *newest*: the number of the last delivery that is kept."""

    taken: list[Taken]
    newest: int


class Deliveries(Protocol):
    """Every method is one transaction, and may block. Raises `WorldError` when the database cannot be used."""

    def take(self, deliveries: Sequence[Delivery]) -> Stored:
        """Remember them; they are durable when this returns. One that is known, by its ID in its repository, stays as it
        is."""
        ...

    def open(self) -> Mapping[str, int]:
        """Repositories that are to be looked at, each with the number of its newest open delivery."""
        ...

    def settle(self, repository: str, up_to: int, now: dt.datetime, message: str = "") -> int:
        """Close what is open of *repository* up to that number; returns how many. *message*: why without a look."""
        ...

    def heard(self) -> Mapping[str, dt.datetime]:
        """When each repository last had a delivery that asks for a look."""
        ...

    def configured(self, webhooks: Mapping[str, str]) -> None:
        """These are taken from now on, and no others: by repository, with what is wrong with its secrets ("": nothing)."""
        ...

    def forget(self, before: dt.datetime) -> int:
        """Drop closed deliveries from before *before*, and the oldest beyond what is kept at all; returns how many.

        Takes a bounded number at a time.
        """
        ...


class Looks(Protocol):
    """Looks at repositories when told to."""

    async def look_now(self, name: str) -> None:
        """Return once a look at *name* that began after this call is recorded. Many callers share one look.

        Raises what the look raised: `WorldError`; `UserError` where no repository of that name is watched.
        """
        ...
