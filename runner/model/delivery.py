"""Deliveries of webhooks: that somebody said, at some moment, that a repository may have changed."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.value import Value

Sender: TypeAlias = Literal["github", "bitbucket", "bitbucket-data-center", "generic"]

Taken: TypeAlias = Literal["New", "Known", "Conflict"]
"""What a delivery is to the store. *Known*: it was here before; *Conflict*: another one had its ID."""


class Delivery(Value, frozen=True, kw_only=True):
    """One delivery. *id*: as its sender names it, unique within *repository*; *event*: the sender's word, `push`.

    *refs*: full names, where it tells some; *body*: SHA-256 of what was signed, in hex. *looks*: whether the repository is
    to be looked at; if not, it is only remembered.
    """

    id: str
    repository: str
    event: str
    body: str
    received_at: dt.datetime
    refs: tuple[str, ...] = ()
    looks: bool = True


class WebhookState(Value, frozen=True, kw_only=True):
    """One webhook that is taken. *problem*: what is wrong with its secrets, "" for nothing; *last_delivery_at*: None while
    there was none.
    """

    repository: str
    problem: str = ""
    last_delivery_at: dt.datetime | None = None


class DeliveryState(Value, frozen=True, kw_only=True):
    """The last delivery for one repository. *open*: how many of its deliveries no look has followed yet."""

    repository: str
    id: str
    event: str
    received_at: dt.datetime
    refs: tuple[str, ...] = ()
    open: int = 0
