"""Who calls: the roles of access keys, and whoever has shown to hold one."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.value import Value

Role: TypeAlias = Literal["reader", "deployer", "admin", "host"]


class Principal(Value, frozen=True, kw_only=True):
    """The holder of an access key. *host*: the only host that a key of role `host` may act for; None for other roles."""

    access_key_id: str
    role: Role
    host: str | None = None


class AccessKey(Value, frozen=True, kw_only=True):
    """An access key without its secret. *last_used_at*: rounded to some minutes; None when it never was."""

    id: str
    role: Role
    host: str | None = None
    description: str = ""
    created_at: dt.datetime
    last_used_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
