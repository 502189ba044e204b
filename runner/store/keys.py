"""Access keys, and the tokens by which agents get theirs. Secrets are encrypted, of tokens there is only a hash."""

import base64
import datetime as dt
import hashlib
import secrets
import string
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from runner.errors import Refused, UserError
from runner.log import Secret
from runner.model.identity import AccessKey, Principal, Role
from runner.ports.identity import IssuedKey
from runner.store.database import Database
from runner.store.sealing import Seal
from runner.store.tables import access_keys, enrolments

_OF_IDS = string.ascii_uppercase + "234567"
_OF_SECRETS = string.ascii_letters + string.digits
_KEEP_TOKENS = dt.timedelta(days=30)  # after they expired, for a good message


class Keys:
    """Implements `KeyStore` and `Enrolments`. Every method is one transaction, and may block."""

    def __init__(self, db: Database, seal: Seal) -> None:
        self._db, self._seal = db, seal

    def version(self) -> int:
        return self._db.version()

    def derived(self, purpose: str) -> bytes:
        """32 secret bytes for *purpose*, the same after a restart. Raises `WorldError`: the file is gone, or another."""
        self._seal.make_sure()
        return self._seal.derived(purpose)

    def revocations(self) -> int:
        return self._db.number("SELECT count(*) FROM access_keys WHERE revoked_at IS NOT NULL")

    def find(self, access_key_id: str) -> IssuedKey | None:
        """Raises `WorldError` when the file that secrets are encrypted with is gone, or another."""
        c = access_keys.c
        query = sa.select(access_keys).where(c.id == access_key_id, c.revoked_at.is_(None))
        with self._db.read() as tx:
            row = tx.execute(query).first()
        if row is None:
            return None
        principal = Principal(access_key_id=row.id, role=row.role, host=row.host)
        return IssuedKey(principal, self._seal.open(row.secret, _about(principal)))

    def used(self, last: Mapping[str, dt.datetime]) -> None:
        c = access_keys.c
        later = sa.or_(c.last_used_at.is_(None), c.last_used_at < sa.bindparam("at"))
        change = access_keys.update().where(c.id == sa.bindparam("key"), later).values(last_used_at=sa.bindparam("at"))
        with self._db.write() as tx:
            if last:
                tx.execute(change, [{"key": key, "at": at} for key, at in last.items()])

    def create(self, role: Role, host: str | None, description: str, now: dt.datetime) -> IssuedKey:
        if (role == "host") != (host is not None):
            raise UserError("a key of the role host needs a host, and no other key has one")
        with self._db.write() as tx:
            return self._issue(tx, role, host, description, now)

    def all(self) -> list[AccessKey]:
        columns = [column for column in access_keys.c if column.name != "secret"]
        query = sa.select(*columns).order_by(access_keys.c.created_at, access_keys.c.id)
        with self._db.read() as tx:
            return [AccessKey(**row._mapping) for row in tx.execute(query)]

    def revoke(self, access_key_id: str, now: dt.datetime) -> AccessKey:
        c = access_keys.c
        same = c.id == access_key_id
        with self._db.write() as tx:
            tx.execute(access_keys.update().where(same, c.revoked_at.is_(None)).values(revoked_at=now))
            columns = [column for column in c if column.name != "secret"]
            row = tx.execute(sa.select(*columns).where(same)).first()
            if row is None:
                raise UserError(f"no access key {access_key_id} is known here; `penstock keys list` shows them")
            return AccessKey(**row._mapping)

    def invite(self, host: str, fingerprint: str, expires_in: dt.timedelta, now: dt.datetime) -> str:
        while (token := base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()).startswith("-"):
            pass  # it is given on a command line, where that is an option
        values = {"token_hash": _hash(token), "host": host, "created_at": now, "expires_at": now + expires_in}
        with self._db.write() as tx:
            tx.execute(enrolments.delete().where(enrolments.c.expires_at < now - _KEEP_TOKENS))
            tx.execute(enrolments.insert().values(values))
        return f"{token}.{fingerprint}"

    def enrol(self, token: str, now: dt.datetime) -> IssuedKey:
        c = enrolments.c
        same = c.token_hash == _hash(token.partition(".")[0])
        with self._db.write() as tx:
            row = tx.execute(sa.select(enrolments).where(same)).first()
            if row is None or row.used_at is not None or row.expires_at <= now:
                raise Refused("InvalidTokenException", _why(row))
            tx.execute(enrolments.update().where(same).values(used_at=now))
            return self._issue(tx, "host", row.host, "enrolled by a token", now)

    def _issue(self, tx: sa.Connection, role: Role, host: str | None, description: str, now: dt.datetime) -> IssuedKey:
        c = access_keys.c
        if tx.execute(sa.select(c.id).where(c.revoked_at.is_(None)).limit(1)).first() is None:
            self._seal.make_sure()  # where keys are in use, a missing file was lost: another would not open them
        key_id = "PK" + "".join(secrets.choice(_OF_IDS) for _ in range(18))
        secret = Secret("".join(secrets.choice(_OF_SECRETS) for _ in range(40)))
        issued = IssuedKey(Principal(access_key_id=key_id, role=role, host=host), secret)
        values: dict[str, Any] = {
            "id": key_id,
            "secret": self._seal.seal(secret, _about(issued.principal)),
            "role": role,
            "host": host,
            "description": description,
            "created_at": now,
        }
        tx.execute(access_keys.insert().values(values))
        return issued


def _about(principal: Principal) -> str:
    """What a secret is bound to: who can write to the database still cannot give a key another role."""
    return f"{principal.access_key_id}\n{principal.role}\n{principal.host or ''}"


def _hash(token: str) -> str:
    """Of 24 random bytes: nothing slower is needed."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _why(row: "sa.Row[Any] | None") -> str:
    if row is None:
        problem = "the token is not known here"
    elif row.used_at is not None:
        problem = f"the token was used at {row.used_at:%Y-%m-%d %H:%M:%S} UTC; each works once"
    else:
        problem = f"the token expired at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{problem}; `penstock keys enrol HOST` makes another"
