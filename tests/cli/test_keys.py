"""`penstock keys`: keys and tokens as people and scripts get them."""

import datetime as dt
import re
from pathlib import Path

import pytest
from cli_cases import Penstock

from runner.cli import exits
from runner.platforms.agents.signing import SigningKey
from runner.store.database import Database
from runner.store.keys import Keys
from runner.store.sealing import Seal

CONFIG = """\
[hosts.web-1]
transport = "agent"
tags = {app = "shop"}
[hosts.web-2]
folder = "/srv/web-2"
"""


@pytest.fixture
def configured(penstock: Penstock) -> Penstock:
    (penstock.here / "penstock.toml").write_text(CONFIG)
    return penstock


def stored(folder: Path, access_key_id: str) -> tuple[str, str | None, str] | None:
    """Role, host and secret of a key, as the server will find them."""
    database = Database(folder)
    found = Keys(database, Seal(folder / "keys.key")).find(access_key_id)
    database.close()
    return (found.principal.role, found.principal.host, found.secret.reveal()) if found else None


def enrolled(folder: Path, token: str) -> str | None:
    """The host whose key the token gives."""
    database = Database(folder)
    host = Keys(database, Seal(folder / "keys.key")).enrol(token, dt.datetime.now(dt.UTC)).principal.host
    database.close()
    return host


def test_a_new_key_is_shown_once(penstock: Penstock) -> None:
    said = penstock("keys", "create", "--role", "deployer", "--description", "CI of the shop")
    shown = re.fullmatch(r"access key ID      (PK\w{18})\nsecret access key  (\w{40})\n", said.out)
    assert shown and said.status == exits.FINE
    assert said.err == "\nThe secret is shown this once. Keep it like a password.\n"
    assert stored(penstock.state, shown[1]) == ("deployer", None, shown[2])
    listed = penstock("keys", "list")
    assert shown[1] in listed.out and shown[2] not in listed.out


def test_an_instance_in_ec2_may_have_an_agent_where_instances_have_agents(configured: Penstock) -> None:
    instance = "i-0123456789abcdef0"
    refused = configured("keys", "enrol", instance)
    assert refused.status != exits.FINE and 'wants transport = "agent" under [instances]' in refused.err
    (configured.here / "penstock.toml").write_text('[instances]\ntransport = "agent"\n')
    token = re.search(r"--token (\S+)", configured("keys", "enrol", instance).out)
    assert token and enrolled(configured.state, token[1]) == instance


def test_a_key_as_json_has_nothing_around_it(configured: Penstock) -> None:
    made = configured("keys", "create", "--role", "host", "--host", "web-1", "--output", "json")
    assert made.err == ""
    key = made.json
    assert set(key) == {"access_key_id", "secret_access_key", "role", "host"}
    assert (key["role"], key["host"]) == ("host", "web-1")
    assert stored(configured.state, key["access_key_id"]) == ("host", "web-1", key["secret_access_key"])
    assert set(configured("--output", "json", "keys", "create", "--role", "reader").json) == {
        "access_key_id",
        "secret_access_key",
        "role",
    }


def test_a_key_for_a_host_that_is_not_there_yet_is_made_with_a_remark(configured: Penstock) -> None:
    said = configured("keys", "create", "--role", "host", "--host", "web-9", "--output", "json")
    assert said.status == exits.FINE and stored(configured.state, said.json["access_key_id"])
    assert said.err.startswith("penstock: no host web-9 is known; did you mean web-1?")


def test_keys_are_listed_with_what_became_of_them(penstock: Penstock) -> None:
    assert penstock("keys", "list").out == "there are no access keys; `penstock keys create --role ROLE` makes one\n"
    one = penstock("keys", "create", "--role", "admin", "--output", "json").json["access_key_id"]
    two = penstock("keys", "create", "--role", "reader", "--description", "Ada", "--output", "json").json[
        "access_key_id"
    ]
    assert (
        penstock("keys", "revoke", one).out == f"{one} (admin) is revoked: nothing that it signs is accepted any more\n"
    )
    head, *rows = penstock("keys", "list").out.splitlines()
    assert head.split() == ["ID", "ROLE", "HOST", "CREATED", "LAST", "USED", "STATE", "DESCRIPTION"]
    assert re.fullmatch(rf"{one}  admin +[-\d]+ [:\d]+  never +revoked [-\d]+ [:\d]+", rows[0])
    assert re.fullmatch(rf"{two}  reader +[-\d]+ [:\d]+  never +active +Ada", rows[1])
    assert [key["id"] for key in penstock("keys", "list", "--output", "json").json] == [one, two]
    assert stored(penstock.state, one) is None and stored(penstock.state, two)


def test_no_list_shows_a_secret(penstock: Penstock) -> None:
    secret = penstock("keys", "create", "--role", "admin", "--output", "json").json["secret_access_key"]
    assert secret not in penstock("keys", "list", "--output", "json").out


def test_revoking_what_is_not_there_is_the_users_mistake(penstock: Penstock) -> None:
    said = penstock("keys", "revoke", "PKX")
    assert (said.status, said.err) == (
        exits.USERS_MISTAKE,
        "penstock: no access key PKX is known here; `penstock keys list` shows them\n",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create",), "say what the key is for"),
        (("create", "--role", "host"), "name the host that the key is for"),
        (("create", "--role", "host", "--host", "web 1"), "the name of a host has"),
        (("create", "--role", "admin", "--host", "web-1"), "is for all hosts"),
        (("create", "--role", "admin", "--description", "x" * 257), "256 characters"),
        (("create", "PKX", "--role", "admin"), "takes no 'PKX'"),
        (("revoke",), "name the key"),
        (("revoke", "PKX", "--role", "admin"), "takes no --role"),
        (("enrol",), "name the host"),
        (("list", "--expires", "1h"), "takes no --expires"),
        (("enrol", "web-9"), "no host web-9 is known; did you mean web-1?"),
        (("enrol", "elsewhere"), "register it: aws deploy register-on-premises-instance --instance-name elsewhere"),
        (("enrol", "web-2"), 'web-2 is reached by local; an agent wants transport = "agent" in [hosts.web-2]'),
        (("enrol", "web-1", "--expires", "0s"), "--expires wants a duration"),
        (("enrol", "web-1", "--expires", "31d"), "--expires wants a duration"),
        (("enrol", "web-1", "--expires", "soon"), "'soon' is not a duration"),
    ],
)
def test_what_makes_no_sense_is_said(configured: Penstock, arguments: tuple[str, ...], words: str) -> None:
    said = configured("keys", *arguments)
    assert (said.status, said.out) == (exits.USERS_MISTAKE, "")
    assert words in said.err


def test_a_token_is_printed_with_the_command_that_uses_it(configured: Penstock) -> None:
    said = configured("keys", "enrol", "web-1", "--expires", "30m", "--server", "https://penstock.example:8443")
    assert (said.status, said.err) == (exits.FINE, "")
    head, _, command, _, tail = said.out.splitlines()
    assert re.fullmatch(r"On web-1, as root, once, within 30m \(until [-\d]+ [:\d]+\):", head)
    start = "  python3 penstock-agent.pyz enrol --server https://penstock.example:8443 --token "
    assert command.startswith(start)
    assert tail == "`penstock agent build penstock-agent.pyz` makes that file."
    assert enrolled(configured.state, command.removeprefix(start)) == "web-1"


def test_a_token_as_json_has_its_expiry(configured: Penstock) -> None:
    before = dt.datetime.now(dt.UTC)
    made = configured("keys", "enrol", "web-1", "--output", "json").json
    after = dt.datetime.now(dt.UTC)
    assert made["host"] == "web-1"
    assert before <= dt.datetime.fromisoformat(made["expires_at"]) - dt.timedelta(hours=1) <= after
    signing = SigningKey.of(configured.state, after)
    assert made["token"].partition(".")[2] == signing.fingerprint()
    assert enrolled(configured.state, made["token"]) == "web-1"


@pytest.mark.parametrize(
    ("listen", "server"),
    [
        ("penstock.example:8443", "https://penstock.example:8443"),
        ("0.0.0.0:8443", "https://THIS-SERVER:8443"),
        ("127.0.0.1:0", "https://THIS-SERVER:8300"),
        (None, "https://THIS-SERVER:8300"),
    ],
)
def test_the_command_names_the_server_where_its_address_is_known(
    penstock: Penstock, listen: str | None, server: str
) -> None:
    line = f'listen = "{listen}"\nlisten_without_tls = true\n' if listen else ""
    (penstock.here / "penstock.toml").write_text(line + CONFIG)
    assert f"enrol --server {server} --token" in penstock("keys", "enrol", "web-1").out


def test_a_lost_key_file_is_said_with_what_to_do(penstock: Penstock) -> None:
    penstock("keys", "create", "--role", "admin")
    (penstock.state / "keys.key").unlink()
    said = penstock("keys", "create", "--role", "admin")
    assert said.status == exits.WORLDS_FAILURE
    assert "restore it from a backup, or revoke all keys and make new ones" in said.err


def test_the_key_file_may_be_configured(penstock: Penstock) -> None:
    (penstock.here / "penstock.toml").write_text('[api]\nkey_file = "secrets/penstock.key"\n')
    (penstock.here / "secrets").mkdir()
    assert penstock("keys", "create", "--role", "admin").status == exits.FINE
    assert (penstock.here / "secrets/penstock.key").stat().st_mode & 0o777 == 0o600
    assert not (penstock.state / "keys.key").exists()
