"""The journal: what has truly happened to a deployment, one entry after the other, each carrying the hash of the last."""

import datetime as dt
import hashlib
from typing import Any

from runner.model.value import Value, to_json

GENESIS = "0" * 64


class Entry(Value, frozen=True, kw_only=True):
    """One journal entry. *sequence* counts from 1 within its deployment; *id* is the store's own, over all deployments."""

    id: int
    deployment_id: str
    sequence: int
    at: dt.datetime
    kind: str  # past tense: deployment created, lifecycle event succeeded ...
    target: str | None = None
    lifecycle_event: str | None = None
    attempt: int | None = None
    details: dict[str, Any] = {}
    previous_hash: str = GENESIS
    hash: str = ""


def entry_hash(entry: Entry) -> str:
    """SHA-256 over the entry's own content and the hash before it; the store's `id` plays no part."""
    body = {
        "deployment_id": entry.deployment_id,
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "target": entry.target,
        "lifecycle_event": entry.lifecycle_event,
        "attempt": entry.attempt,
        "details": entry.details,
        "previous_hash": entry.previous_hash,
    }
    return hashlib.sha256(to_json(body).encode()).hexdigest()


def broken_at(entries: list[Entry]) -> int | None:
    """The sequence of the first entry that does not follow from the one before it; None when the chain holds."""
    previous = GENESIS
    for expected, entry in enumerate(entries, start=1):
        if entry.sequence != expected or entry.previous_hash != previous or entry_hash(entry) != entry.hash:
            return expected
        previous = entry.hash
    return None
