"""`--state s3://...` and `postgresql://...`: what the verbs do with it, and what each mistake says."""
# ruff: noqa: F811

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
from cli_cases import Penstock
from postgresql_server import PASSWORD, Server, running_postgresql
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures

from runner.cli import exits, session
from runner.ports.state_objects import StateObjects
from runner.store.elsewhere import lease, s3
from runner.store.elsewhere.address import objects_at
from runner.store.elsewhere.lease import Lease

URL = "s3://acme-state/shop"


@pytest.fixture
def bucket(aws: Cloud) -> StateObjects:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="acme-state")
    return objects_at(URL)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_postgresql() as server:
        yield server


@pytest.fixture
def shop(penstock: Penstock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Penstock:
    """A checkout to deploy from. Copies of the state are below *tmp_path*/tmp."""
    penstock.checkout()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return penstock


def copies(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "tmp").iterdir())


def test_what_one_command_deployed_the_next_one_knows(shop: Penstock, bucket: StateObjects, tmp_path: Path) -> None:
    assert f"nothing was deployed from the state {URL} yet" in shop("--state", URL, "status").out
    assert bucket.names("") == [], "looking makes nothing"
    assert shop("--state", URL, "deploy").status == exits.FINE
    (group,) = shop("--state", URL, "--output", "json", "status").json["groups"]
    (deployment,) = shop("--state", URL, "--output", "json", "list").json
    assert group["current"]
    assert deployment["status"] == "Succeeded"
    assert shop("--state", URL, "show", deployment["id"]).status == exits.FINE
    logs = shop("--state", URL, "logs", deployment["id"])
    assert logs.status == exits.USERS_MISTAKE
    assert f"what scripts print is not kept in the state {URL}" in logs.err
    assert copies(tmp_path) == []


def test_a_commit_that_fails_is_rolled_back_to_what_another_command_deployed(
    shop: Penstock, bucket: StateObjects
) -> None:
    shop.add_production()
    assert shop("--state", URL, "deploy").status == exits.FINE
    shop.break_it()
    assert shop("--state", URL, "deploy").status == exits.DEPLOYMENT_FAILED
    rolled_back = shop("--state", URL, "--output", "json", "list").json[0]
    assert (rolled_back["creator"], rolled_back["status"]) == ("codeDeployRollback", "Succeeded")
    assert len(bucket.names("bundles/")) == 2


def test_verbs_that_only_look_need_not_wait(shop: Penstock, bucket: StateObjects) -> None:
    assert shop("--state", URL, "deploy").status == exits.FINE
    held = Lease(bucket, "process 7 on elsewhere", lambda holder: None)
    held.take()
    before = bucket.names("")
    for verb in (("status",), ("list",), ("plan",)):
        assert shop("--state", URL, *verb).status == exits.FINE
    assert bucket.names("") == before
    held.release()


def test_a_stop_of_what_another_process_carries_out_is_refused_with_what_works(
    shop: Penstock, bucket: StateObjects
) -> None:
    assert shop("--state", URL, "deploy").status == exits.FINE
    held = Lease(bucket, "run 41 of acme/shop", lambda holder: None)
    held.take()
    said = shop("--state", URL, "stop", "d-1")
    assert said.status == exits.WORLDS_FAILURE
    assert f"run 41 of acme/shop already drives the state {URL}; wait until it has ended" in said.err
    held.release()


def test_a_sync_leaves_or_gives_up_waiting_when_another_one_has_the_state(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Lease(bucket, "run 41 of acme/shop", lambda holder: None)
    held.take()
    said = shop("--state", URL, "sync", "--busy", "leave")
    assert said.status == exits.BUSY
    assert f"run 41 of acme/shop already drives the state {URL}; leaving it to that one" in said.err
    assert shop("--state", URL, "sync", "--busy", "wait", "--wait", "0s").status == exits.BUSY
    held.leave()
    monkeypatch.setattr(lease, "LASTS", 0.0)  # a minute later
    assert shop("--state", URL, "deploy").status == exits.FINE


def test_a_deployment_waits_for_the_process_that_has_the_state(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Lease(bucket, "run 41 of acme/shop", lambda holder: None)
    held.take()
    told: list[str] = []

    def note(text: str) -> None:
        told.append(text)
        held.release()

    monkeypatch.setattr(session, "note", note)
    monkeypatch.setattr(session, "LOOK_ELSEWHERE_EVERY", 0.01)
    assert shop("--state", URL, "deploy").status == exits.FINE
    assert told == [f"run 41 of acme/shop already drives the state {URL}; waiting for it to end"]


def test_what_needs_a_folder_says_so(shop: Penstock, bucket: StateObjects) -> None:
    for verb in (("serve",), ("keys", "list"), ("health",)):
        said = shop("--state", URL, *verb)
        assert said.status == exits.USERS_MISTAKE
        assert f"`penstock {verb[0]}` needs a state folder, and this is an address" in said.err


@pytest.mark.parametrize("address", ["gs://bucket/state", "mysql://ada:hidden@db/penstock", "host=db dbname=x"])
def test_another_address_is_no_state(penstock: Penstock, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    by_option = penstock("--state", address, "status")
    monkeypatch.setenv("PENSTOCK_STATE", address)
    by_environment = penstock("status")
    for said, by in ((by_option, "--state"), (by_environment, "PENSTOCK_STATE")):
        assert said.status == exits.USERS_MISTAKE
        assert f"{by} is an address" in said.err
        assert "s3://BUCKET/PREFIX, or postgresql://" in said.err
        assert "hidden" not in said.err
    assert list(Path().iterdir()) == []


def test_a_folder_may_have_a_colon_in_its_name(penstock: Penstock) -> None:
    assert penstock("--state", "a:b", "status").status == exits.FINE
    assert Path("a:b", "penstock.db").exists()


def test_a_bucket_that_is_not_there_is_told(shop: Penstock, aws: Cloud, tmp_path: Path) -> None:
    said = shop("--state", "s3://not-there/x", "deploy")
    assert said.status == exits.WORLDS_FAILURE
    assert "there is no bucket not-there, which the state is to be kept in" in said.err
    assert copies(tmp_path) == []


def test_a_permission_that_is_missing_is_told(shop: Penstock, bucket: StateObjects, aws: Cloud) -> None:
    aws.deny("s3", "PutObject")
    said = shop("--state", URL, "deploy")
    assert said.status == exits.WORLDS_FAILURE
    assert f"the state in {URL} cannot be reached: s3:PutObject" in said.err
    assert '{"Effect": "Allow", "Action": "s3:PutObject"' in said.err


def test_missing_credentials_are_told(shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(s3, "_AT_THE_START", 0.0)
    said = shop("--state", URL, "deploy")
    assert said.status == exits.WORLDS_FAILURE
    assert f"the state in {URL} cannot be reached" in said.err
    assert "no AWS credentials" in said.err


def test_an_s3_that_does_not_answer_is_told(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(s3, "_AT_THE_START", 0.0)
    said = shop("--state", URL, "deploy")
    assert said.status == exits.WORLDS_FAILURE
    assert f"the state in {URL} cannot be reached" in said.err


def test_an_s3_without_conditions_is_refused(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = s3.S3Objects._put

    def without(self: s3.S3Objects, name: str, content: bytes, **condition: str) -> str | None:
        return put(self, name, content)

    monkeypatch.setattr(s3.S3Objects, "_put", without)
    said = shop("--state", URL, "deploy")
    assert said.status == exits.WORLDS_FAILURE
    assert "ignores If-None-Match or If-Match" in said.err
    assert bucket.names("log/") == []


def test_a_state_that_goes_out_of_reach_ends_the_deployment_with_what_is_under_way(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next run takes it up. The bucket is there again by then."""
    create = s3.S3Objects.create

    def until_the_tenth(self: s3.S3Objects, name: str, content: bytes) -> str | None:
        if name == "log/0000000010":
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            self.__init__("acme-state", "shop")  # type: ignore[misc]
        return create(self, name, content)

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    with monkeypatch.context() as away:
        away.setattr(s3.S3Objects, "create", until_the_tenth)
        away.setattr(s3, "_AT_THE_START", 0.0)
        said = shop("--state", URL, "deploy")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert said.status == exits.WORLDS_FAILURE, said.err
    assert f"the state in {URL} cannot be reached" in said.err
    assert "Under way: d-" in said.err
    assert "Run the same command again" in said.err
    bucket.remove(["lease"])
    config = shop.here / "penstock.toml"
    config.write_text(f'{config.read_text()}\n[repositories.shop]\nurl = "{shop.here}"\nbranches = []\n')
    assert shop("--state", URL, "sync").status == exits.FINE
    (deployment,) = shop("--state", URL, "--output", "json", "list").json
    assert deployment["status"] == "Succeeded"


def test_a_state_of_a_newer_schema_is_left_alone(shop: Penstock, bucket: StateObjects) -> None:
    from runner.plan.lifecycle import server_in_place
    from runner.store.elsewhere.state import StateElsewhere
    from runner.store.store import Store

    newer = StateElsewhere(bucket, {})
    store = Store(newer.folder, server_in_place(), shipping=newer.hold())
    with store._db.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    newer.close()
    before = bucket.names("log/")
    said = shop("--state", URL, "status")
    assert said.status == exits.WORLDS_FAILURE
    assert f"{URL} was written by a newer Penstock (schema 9999" in said.err
    assert bucket.names("log/") == before


def test_many_runs_leave_a_base_and_few_pieces(
    shop: Penstock, bucket: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.elsewhere.log.LONG", 10)
    for number in range(3):
        (shop.here / "version").write_text(str(number))
        shop.commit()
        assert shop("--state", URL, "deploy").status == exits.FINE
    assert len(bucket.names("base/")) == 1
    assert len(bucket.names("log/")) == 1, "the good-bye"
    assert len(shop("--state", URL, "--output", "json", "list").json) == 3


def test_the_same_in_postgresql(shop: Penstock, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_STATE", server.new_database("cli"))
    assert "nothing was deployed from the state postgresql://shop@127.0.0.1" in shop("status").out
    said = shop("--verbose", "deploy")
    assert said.status == exits.FINE
    assert PASSWORD not in said.out + said.err
    assert len(shop("--output", "json", "list").json) == 1


def test_what_is_wrong_with_a_database_is_told_without_its_password(
    shop: Penstock, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.new_database("wrong")
    read_only = server.new_database("readonly", "reader")
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER ROLE reader SET default_transaction_read_only = on")
    off = server.new_database("fast", "hasty")
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER ROLE hasty SET synchronous_commit = off")
    for named, expected in (
        (url.replace("/wrong", "/gone"), 'database "gone" does not exist'),
        (url.replace(PASSWORD, "hidden"), "password authentication failed"),
        (url.replace(f":{server.port}", ":1"), "Connection refused"),
        (read_only, "name the primary"),
        (off, "synchronous_commit off"),
    ):
        said = shop("--state", named, "deploy")
        assert said.status == exits.WORLDS_FAILURE, expected
        assert expected in said.err
        assert PASSWORD not in said.err
        assert "hidden" not in said.err


def test_psycopg_that_is_not_installed_is_told(shop: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    said = shop("--state", "postgresql://db/penstock", "status")
    assert said.status == exits.USERS_MISTAKE
    assert "pip install 'penstock[postgresql]'" in said.err
