"""Reports to GitHub: what arrives there, and what is made of every kind of answer."""

import datetime as dt
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from certificates import authority_and_server
from forge_cases import COMMIT, OTHER, TOKEN, config, message, now
from forge_stub import PRIMARY_LIMIT, SECONDARY_LIMIT, Fault, Forge, running_forge

from runner.errors import Throttled, UserError, WorldError
from runner.forges import Forges


def failure(forge: Forge, **changes: str) -> WorldError:
    with pytest.raises(WorldError) as caught:
        Forges(config(forge), now).send(message(**changes))
    return caught.value


@pytest.mark.parametrize(
    ("state", "status", "deployment"),
    [
        ("Running", "pending", "in_progress"),
        ("Waiting", "pending", "pending"),
        ("Succeeded", "success", "success"),
        ("Failed", "failure", "failure"),
        ("Stopped", "error", "error"),
    ],
)
def test_each_state_has_its_word_at_github(forge: Forge, state: str, status: str, deployment: str) -> None:
    forges = Forges(config(forge), now)
    forges.send(message(state=state))
    forges.send(message(kind="deployment", state=state))
    assert [each["state"] for each in forge.github.statuses] == [status]
    assert [each["state"] for each in forge.github.deployment_statuses] == [deployment]


def test_a_status_says_what_where_and_links_to_the_dashboard(forge: Forge) -> None:
    Forges(config(forge), now).send(message())
    (status,) = forge.github.statuses
    assert status["context"] == "penstock/api/production"
    assert status["description"] == "d-AB12CD34E has begun"
    assert status["target_url"] == "https://penstock.example.com/deployments/d-AB12CD34E"
    assert (status["repository"], status["sha"]) == ("acme/shop", COMMIT)


def test_all_reports_of_a_deployment_go_to_one_deployment_at_github(forge: Forge) -> None:
    for state in ("Running", "Waiting", "Succeeded"):  # each by a process of its own
        Forges(config(forge), now).send(message(kind="deployment", state=state))
    (deployment,) = forge.github.deployments
    assert deployment["environment"] == "production"
    assert deployment["sha"] == COMMIT
    assert deployment["payload"]["penstock_deployment"] == "d-AB12CD34E"
    told = forge.github.deployment_statuses
    assert [(each["deployment"], each["state"]) for each in told] == [
        (0, "in_progress"),
        (0, "pending"),
        (0, "success"),
    ]
    assert {each["log_url"] for each in told} == {"https://penstock.example.com/deployments/d-AB12CD34E"}


def test_deployments_of_one_commit_are_told_apart(forge: Forge) -> None:
    forges = Forges(config(forge), now)
    forges.send(message(kind="deployment"))
    forges.send(message(kind="deployment", deployment_id="d-000000001"))
    forges.send(message(kind="deployment", group="staging", deployment_id="d-000000002"))
    forges.send(message(kind="deployment", commit_id=OTHER, deployment_id="d-000000003"))
    assert len(forge.github.deployments) == 4
    forges.send(message(kind="deployment", state="Failed"))
    assert len(forge.github.deployments) == 4
    assert forge.github.deployment_statuses[-1]["deployment"] == 0


def test_a_deployment_is_found_behind_a_hundred_newer_ones(forge: Forge) -> None:
    forges = Forges(config(forge), now)
    forges.send(message(kind="deployment"))
    others = [forge.github.deployments[0] | {"id": number, "payload": "{}"} for number in range(1, 131)]
    forge.github.deployments += others
    forges.send(message(kind="deployment", state="Succeeded"))
    assert len(forge.github.deployments) == 131
    assert forge.github.deployment_statuses[-1]["deployment"] == 0


def test_a_payload_that_comes_back_as_text_is_read(forge: Forge) -> None:
    forges = Forges(config(forge), now)
    forges.send(message(kind="deployment"))
    forge.github.deployments[0]["payload"] = '{"penstock_deployment": "d-AB12CD34E"}'
    forges.send(message(kind="deployment", state="Succeeded"))
    assert len(forge.github.deployments) == 1


def test_environments_may_be_named_by_application(forge: Forge) -> None:
    Forges(config(forge, environment="application/group"), now).send(message(kind="deployment"))
    assert forge.github.deployments[0]["environment"] == "api/production"


def test_a_revoked_token_says_so_and_a_new_one_needs_no_restart(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    forges = Forges(config(forge), now)
    forge.tokens.clear()
    with pytest.raises(WorldError, match=r"status 401: Bad credentials.*expired or revoked") as caught:
        forges.send(message())
    assert caught.value.retryable
    assert TOKEN not in str(caught.value)
    monkeypatch.setenv("FORGE_TOKEN", "new")
    forge.tokens.add("new")
    forges.send(message())
    assert len(forge.github.statuses) == 1


def test_a_token_that_is_not_set_is_waited_for(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGE_TOKEN")
    error = failure(forge)
    assert error.retryable
    assert "FORGE_TOKEN is not set" in str(error)
    assert not forge.exchanges


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(403, True), (404, True), (409, False), (422, False), (500, True), (502, True), (301, True)],
)
def test_what_can_pass_or_be_mended_is_tried_again(forge: Forge, status: int, retryable: bool) -> None:
    forge.answers.append(Fault(status, {"Location": f"{forge.url}/elsewhere"}))
    error = failure(forge)
    assert error.retryable is retryable
    assert not isinstance(error, Throttled)
    assert f"status {status}: a fault" in str(error)
    assert len(forge.exchanges) == 1  # the token goes nowhere else


def test_a_commit_that_github_does_not_have_is_never_tried_again(forge: Forge) -> None:
    error = failure(forge, commit_id="c" * 40)
    assert not error.retryable
    assert f"No commit found for SHA: {'c' * 40}" in str(error)


@pytest.mark.parametrize(
    ("limit", "wait"),
    [
        (PRIMARY_LIMIT, dt.timedelta(hours=1)),  # the reset is far away; nobody is silenced for longer than that
        (SECONDARY_LIMIT, dt.timedelta(minutes=1)),
        (Fault(429, {"Retry-After": "17"}), dt.timedelta(seconds=17)),
        (Fault(403, {"Retry-After": "30"}, {"message": "secondary rate limit"}), dt.timedelta(seconds=30)),
        (Fault(503, {"Retry-After": "5"}), dt.timedelta(seconds=5)),
    ],
)
def test_a_limit_is_kept_for_everything_that_the_token_asks(forge: Forge, limit: Fault, wait: dt.timedelta) -> None:
    at = now()
    forges = Forges(config(forge), lambda: at)
    forge.answers.append(limit)
    with pytest.raises(Throttled) as caught:
        forges.send(message())
    assert caught.value.wait == wait
    asked = len(forge.exchanges)
    at += wait / 2
    with pytest.raises(Throttled) as caught:
        forges.send(message(kind="deployment"))
    assert caught.value.wait == wait / 2
    assert len(forge.exchanges) == asked
    at += wait / 2
    forges.send(message())
    assert len(forge.github.statuses) == 1


def test_nobody_listens_there(forge: Forge) -> None:
    forge.url = "http://127.0.0.1:1"
    with pytest.raises(WorldError, match=r"http://127\.0\.0\.1:1 could not be reached") as caught:
        Forges(config(forge), now).send(message())
    assert caught.value.retryable


def test_a_repository_that_is_not_reported_any_more_gives_its_messages_up(forge: Forge) -> None:
    with pytest.raises(UserError, match="does not report blog to github any more"):
        Forges(config(forge), now).send(message(to="github:blog"))


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    ca_file, tls = authority_and_server(tmp_path)
    with running_forge(tls) as forge:
        forge.github.add("acme/shop", COMMIT)
        forge.tokens.add(TOKEN)
        with pytest.raises(WorldError, match=r"could not be reached: .*certificate verify failed"):
            Forges(config(forge), now).send(message())
        assert not forge.exchanges
        Forges(config(forge, ca_file=ca_file), now).send(message())
        assert len(forge.github.statuses) == 1
        with pytest.raises(WorldError, match=r"ca_file .*missing\.pem.*No such file") as caught:
            Forges(config(forge, ca_file=tmp_path / "missing.pem"), now).send(message())
        assert caught.value.retryable


def test_the_stub_answers_unchanged_lists_as_github_does(forge: Forge) -> None:
    def ask(tag: str = "") -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", int(forge.url.rpartition(":")[2]), timeout=30)
        headers = {"Authorization": f"Bearer {TOKEN}", "If-None-Match": tag}
        connection.request("GET", "/repos/acme/shop/deployments", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    tag = ask().headers["ETag"]
    assert ask(tag).status == 304
    Forges(config(forge), now).send(message(kind="deployment"))
    assert ask(tag).status == 200
