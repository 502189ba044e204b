"""Addresses of states that are in no folder: `s3://BUCKET/PREFIX`, `postgresql://USER@HOST/DATABASE`."""

import re

from runner.errors import UserError
from runner.ports.state_objects import StateObjects

_S3 = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(?P<prefix>[A-Za-z0-9!_.*'()/=+-]*))?")


def objects_at(url: str) -> StateObjects:
    """What is kept there. Nothing is asked yet. Raises `UserError`, which does not repeat what may hold a password."""
    kind = url.partition(":")[0].lower()
    if kind in ("postgresql", "postgres"):
        from runner.store.elsewhere.postgresql import PostgresqlObjects

        return PostgresqlObjects(url)
    if (found := _S3.fullmatch(url)) is None:
        raise UserError("state in S3 is named as s3://BUCKET/PREFIX, in letters, digits and -_.!*'()/=+")
    from runner.store.elsewhere.s3 import S3Objects

    return S3Objects(found["bucket"], (found["prefix"] or "").strip("/"))
