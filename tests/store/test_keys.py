"""Access keys and enrolment tokens: what is kept, what a stolen database reveals, and what happens once."""

import datetime as dt
import hashlib
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_cases import PIPELINE, T0

from runner.errors import Refused, UserError, WorldError
from runner.model.identity import AccessKey, Principal
from runner.store import tables as t
from runner.store.database import Database
from runner.store.keys import Keys
from runner.store.sealing import Seal
from runner.store.store import Store

FINGERPRINT = "0123456789abcdef" * 2
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database, Seal(database.folder / "keys.key"))


def again(database: Database) -> Keys:
    """As another process has them."""
    return Keys(database, Seal(database.folder / "keys.key"))


def test_a_key_is_found_with_its_secret(keys: Keys, database: Database) -> None:
    made = keys.create("host", "web-1", "the first", T0)
    assert re.fullmatch("PK[A-Z2-7]{18}", made.principal.access_key_id)
    assert re.fullmatch("[A-Za-z0-9]{40}", made.secret.reveal())
    assert made.principal == Principal(access_key_id=made.principal.access_key_id, role="host", host="web-1")
    assert again(database).find(made.principal.access_key_id) == made
    assert keys.find("PK" + "A" * 18) is None


def test_keys_are_listed_without_their_secrets(keys: Keys) -> None:
    first = keys.create("admin", None, "ci", T0).principal.access_key_id
    second = keys.create("host", "web-1", "", T0 + HOUR).principal.access_key_id
    assert keys.all() == [
        AccessKey(id=first, role="admin", description="ci", created_at=T0),
        AccessKey(id=second, role="host", host="web-1", created_at=T0 + HOUR),
    ]


@pytest.mark.parametrize(("role", "host"), [("host", None), ("admin", "web-1")])
def test_a_host_belongs_to_the_role_host_and_to_no_other(keys: Keys, role: str, host: str | None) -> None:
    with pytest.raises(UserError, match="role host needs a host"):
        keys.create(role, host, "", T0)  # type: ignore[arg-type]


def test_a_revoked_key_is_gone_for_good_and_stays_listed(keys: Keys) -> None:
    made = keys.create("reader", None, "", T0).principal.access_key_id
    assert keys.revocations() == 0
    assert keys.revoke(made, T0 + HOUR).revoked_at == T0 + HOUR
    assert keys.revoke(made, T0 + 2 * HOUR).revoked_at == T0 + HOUR
    assert keys.find(made) is None
    assert [each.revoked_at for each in keys.all()] == [T0 + HOUR]
    assert keys.revocations() == 1


def test_revoking_a_key_that_is_not_there_is_said(keys: Keys) -> None:
    with pytest.raises(UserError, match=r"no access key PKX is known here; `penstock keys list`"):
        keys.revoke("PKX", T0)


def test_last_use_never_goes_back(keys: Keys) -> None:
    one, two = (keys.create("reader", None, "", T0).principal.access_key_id for _ in range(2))
    keys.used({one: T0 + HOUR, two: T0})
    keys.used({one: T0, two: T0 + 2 * HOUR, "unknown": T0})
    keys.used({})
    assert {each.id: each.last_used_at for each in keys.all()} == {one: T0 + HOUR, two: T0 + 2 * HOUR}


def test_a_stolen_database_holds_no_secret_and_no_token(keys: Keys, database: Database) -> None:
    made = keys.create("admin", None, "", T0)
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)
    database.close()
    everything = b"".join(path.read_bytes() for path in database.folder.glob("penstock.db*"))
    assert made.principal.access_key_id.encode() in everything
    assert made.secret.reveal().encode() not in everything
    assert token.partition(".")[0].encode() not in everything


def test_the_key_file_is_for_its_owner_alone(keys: Keys, database: Database) -> None:
    keys.create("admin", None, "", T0)
    file = database.folder / "keys.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.fullmatch("[0-9a-f]{64}\n", file.read_text())
    assert [path.name for path in database.folder.glob("*.key*")] == ["keys.key"]
    assert not list(database.folder.glob(".keys.key*"))


def test_processes_that_begin_together_make_one_key_file(database: Database) -> None:
    def create(number: int) -> str:
        return again(database).create("reader", None, str(number), T0).principal.access_key_id

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(16)))
    assert all(again(database).find(each) for each in made)


def test_two_who_make_the_file_at_once_end_up_with_one(tmp_path: Path) -> None:
    seals = [Seal(tmp_path / "keys.key") for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(Seal.make_sure, seals))
    from runner.log import Secret

    assert all(other.open(seals[0].seal(Secret("s"), "a"), "a").reveal() == "s" for other in seals)


def test_a_key_file_elsewhere_is_used(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    store = Store(tmp_path / "state", PIPELINE, tmp_path / "secrets" / "penstock.key")
    made = store.keys.create("admin", None, "", T0)
    store.close()
    assert not (tmp_path / "state" / "keys.key").exists()
    store = Store(tmp_path / "state", PIPELINE, tmp_path / "secrets" / "penstock.key")
    assert store.keys.find(made.principal.access_key_id) == made
    store.close()


def test_a_folder_for_the_key_file_that_is_not_there_is_said(tmp_path: Path, database: Database) -> None:
    keys = Keys(database, Seal(tmp_path / "missing" / "keys.key"))
    with pytest.raises(WorldError, match=r"missing/keys\.key cannot be written: No such file"):
        keys.create("admin", None, "", T0)
    assert keys.all() == []


@pytest.mark.parametrize("content", [None, "", "not a key", "00" * 16, "\xff" * 64])
def test_a_lost_or_broken_key_file_is_said_and_never_made_anew(
    keys: Keys, database: Database, content: str | None
) -> None:
    made = keys.create("admin", None, "", T0).principal.access_key_id
    file = database.folder / "keys.key"
    file.unlink()
    if content is not None:
        file.write_text(content)
    for attempt in (lambda: again(database).find(made), lambda: again(database).create("admin", None, "", T0)):
        with pytest.raises(
            WorldError, match=r"keys\.key, with which the secrets .* cannot be used: .*restore it"
        ) as lost:
            attempt()
        assert not lost.value.retryable
    assert len(keys.all()) == 1


def test_the_key_file_of_another_folder_is_said(keys: Keys, database: Database) -> None:
    made = keys.create("admin", None, "", T0).principal.access_key_id
    (database.folder / "keys.key").write_text("ab" * 32 + "\n")
    with pytest.raises(WorldError, match="is not the file that the secrets"):
        again(database).find(made)


def test_once_all_keys_are_revoked_a_lost_file_is_made_anew(keys: Keys, database: Database) -> None:
    keys.revoke(keys.create("admin", None, "", T0).principal.access_key_id, T0)
    (database.folder / "keys.key").unlink()
    made = again(database).create("admin", None, "", T0)
    assert again(database).find(made.principal.access_key_id) == made


def test_who_writes_to_the_database_still_cannot_raise_a_role_or_move_a_secret(keys: Keys, database: Database) -> None:
    low, high = keys.create("reader", None, "", T0), keys.create("host", "web-1", "", T0)
    c = t.access_keys.c
    with database.write() as tx:
        tx.execute(t.access_keys.update().where(c.id == low.principal.access_key_id).values(role="admin"))
        tx.execute(t.access_keys.update().where(c.id == high.principal.access_key_id).values(host="web-2"))
    for key in (low, high):
        with pytest.raises(WorldError, match="somebody changed the database"):
            again(database).find(key.principal.access_key_id)


# Enrolment.


def test_a_token_gives_one_key_of_its_host(keys: Keys) -> None:
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)
    assert re.fullmatch(rf"[\w-]{{32}}\.{FINGERPRINT}", token)
    made = keys.enrol(token, T0 + HOUR / 2)
    assert (made.principal.role, made.principal.host) == ("host", "web-1")
    assert keys.find(made.principal.access_key_id) == made
    with pytest.raises(Refused, match=r"the token was used at 2026-01-01 00:30:00 UTC; each works once") as refused:
        keys.enrol(token, T0 + HOUR / 2)
    assert refused.value.code == "InvalidTokenException"
    assert len(keys.all()) == 1


def test_no_token_looks_like_an_option_of_a_command(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([b"\xf8" * 24, b"\xfb" + b"\x00" * 23, b"\x00" * 24])
    monkeypatch.setattr("secrets.token_bytes", lambda size: next(drawn))
    assert keys.invite("web-1", FINGERPRINT, HOUR, T0) == "A" * 32 + "." + FINGERPRINT


def test_an_expired_token_gives_nothing(keys: Keys) -> None:
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)
    with pytest.raises(Refused, match=r"the token expired at 2026-01-01 01:00:00 UTC; `penstock keys enrol HOST`"):
        keys.enrol(token, T0 + HOUR)
    assert keys.all() == []


@pytest.mark.parametrize("token", ["", ".", "x.y", "\N{SNOWMAN}", "\ud800", "a" * 100_000])
def test_an_unknown_token_gives_nothing(keys: Keys, token: str) -> None:
    keys.invite("web-1", FINGERPRINT, HOUR, T0)
    with pytest.raises(Refused, match="the token is not known here"):
        keys.enrol(token, T0)


def test_of_many_who_use_a_token_at_once_one_gets_a_key(keys: Keys, database: Database) -> None:
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)

    def enrol(_: int) -> bool:
        try:
            return bool(again(database).enrol(token, T0))
        except Refused:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(enrol, range(16))) == 1
    assert len(keys.all()) == 1


def test_a_token_is_not_spent_where_no_key_can_be_made(keys: Keys, database: Database) -> None:
    keys.create("admin", None, "", T0)
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)
    file = database.folder / "keys.key"
    file.rename(database.folder / "elsewhere")
    with pytest.raises(WorldError, match="cannot be used"):
        again(database).enrol(token, T0)
    (database.folder / "elsewhere").rename(file)
    assert again(database).enrol(token, T0).principal.host == "web-1"


def test_of_a_token_only_a_hash_is_kept_and_that_for_a_month(keys: Keys, database: Database) -> None:
    token = keys.invite("web-1", FINGERPRINT, HOUR, T0)
    hashes = sa.select(t.enrolments.c.token_hash)
    with database.read() as tx:
        assert tx.execute(hashes).scalars().all() == [hashlib.sha256(token[:32].encode()).hexdigest()]
    keys.invite("web-2", FINGERPRINT, HOUR, T0 + dt.timedelta(days=32))
    with database.read() as tx:
        assert len(tx.execute(hashes).scalars().all()) == 1
