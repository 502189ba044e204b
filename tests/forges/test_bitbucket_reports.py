"""Build statuses at Bitbucket, Cloud and Data Center."""

import datetime as dt
from typing import Any

import pytest
from forge_cases import COMMIT, TOKEN, config, message, now, report
from forge_stub import Fault, Forge
from hypothesis import given
from hypothesis import strategies as st

from runner.config import Config
from runner.errors import WorldError
from runner.forges import Forges
from runner.forges.bitbucket import LONGEST_KEY, key
from runner.forges.tiers import tier
from runner.ports import Message

CLOUD, DATA_CENTER = "bitbucket", "bitbucket-data-center"
NAMES = st.text("abc-", min_size=1, max_size=40)
FIRST, SECOND = (dt.datetime(2030, 1, 1, 12, 0, 0, tick, tzinfo=dt.UTC) for tick in (0, 1))
NUMBER = 1_893_499_200_000_000
PLACES = st.fixed_dictionaries({"application": NAMES, "group": NAMES})


def deployment(**changes: Any) -> Message:
    return message("bitbucket-data-center:shop", **{"kind": "deployment", "created_at": FIRST, **changes})


@pytest.mark.parametrize(("to", "stopped"), [(CLOUD, "STOPPED"), (DATA_CENTER, "CANCELLED")])
def test_one_build_status_goes_from_state_to_state(forge: Forge, to: str, stopped: str) -> None:
    forges = Forges(config(forge, to), now)
    for state in ("Running", "Waiting", "Succeeded", "Failed", "Stopped"):
        forges.send(message(f"{to}:shop", state=state))
    assert forge.bitbucket.history == ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", stopped]
    ((place, build),) = forge.bitbucket.builds.items()
    assert place == ("acme/shop", COMMIT, "penstock/api/production")
    assert build["url"] == "https://penstock.example.com/deployments/d-AB12CD34E"
    assert build["description"] == "d-AB12CD34E has begun"
    assert {each.authorization for each in forge.exchanges} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("to", "web"), [(CLOUD, "https://bitbucket.org/acme/shop"), (DATA_CENTER, None)])
def test_without_a_dashboard_the_link_is_the_commits_own_page(forge: Forge, to: str, web: str | None) -> None:
    given = config(forge, to)
    bare = Config(repositories=given.repositories, forges=given.forges)
    Forges(bare, now).send(message(f"{to}:shop"))
    (build,) = forge.bitbucket.builds.values()
    assert build["url"] == f"{web or f'{forge.url}/projects/acme/repos/shop'}/commits/{COMMIT}"


def test_a_token_may_go_with_a_name(forge: Forge) -> None:
    Forges(config(forge, CLOUD, username="ada"), now).send(message("bitbucket:shop"))
    assert len(forge.bitbucket.builds) == 1
    assert forge.exchanges[0].authorization == "Basic YWRhOnQwa2VuLVNlY3JldA=="


def test_what_bitbucket_says_is_told(forge: Forge) -> None:
    forge.bitbucket.repositories.clear()
    for to in (CLOUD, DATA_CENTER):
        with pytest.raises(WorldError, match=r"status 404: Repository acme/shop .*may the token see it") as caught:
            Forges(config(forge, to), now).send(message(f"{to}:shop"))
        assert caught.value.retryable
    forge.answers.append(Fault(400, {}, {"type": "error", "error": {"message": "Bad request"}}))
    with pytest.raises(WorldError, match="status 400: Bad request") as caught:
        Forges(config(forge, CLOUD), now).send(message("bitbucket:shop"))
    assert not caught.value.retryable


def test_long_names_are_reported_too(forge: Forge) -> None:
    Forges(config(forge, CLOUD), now).send(message("bitbucket:shop", application="a" * 100, group="g" * 100))
    assert len(forge.bitbucket.builds) == 1
    told = Forges(config(forge, DATA_CENTER, environment="application/group"), now)
    for end in "xy":
        told.send(deployment(application="a" * 200, group="g" * 200 + end))
    assert len(forge.bitbucket.deployments) == 2


def test_one_deployment_of_data_center_goes_from_state_to_state(forge: Forge) -> None:
    for state in ("Running", "Waiting", "Succeeded", "Failed", "Stopped"):  # each by a process of its own
        Forges(config(forge, DATA_CENTER), now).send(deployment(state=state))
    states = ["IN_PROGRESS", "PENDING", "SUCCESSFUL", "FAILED", "CANCELLED"]
    assert forge.bitbucket.deployment_history == states
    ((place, told),) = forge.bitbucket.deployments.items()
    assert place == ("acme/shop", "penstock/api/production", "production", NUMBER)
    assert told == {
        "deploymentSequenceNumber": NUMBER,
        "description": "d-AB12CD34E has begun",
        "displayName": "api to production",
        "environment": {"key": "production", "displayName": "production", "type": "PRODUCTION"},
        "key": "penstock/api/production",
        "state": "CANCELLED",
        "url": "https://penstock.example.com/deployments/d-AB12CD34E",
        "commit": COMMIT,
    }
    assert not forge.bitbucket.builds


def test_deployments_of_data_center_are_told_apart(forge: Forge) -> None:
    forges = Forges(config(forge, DATA_CENTER, environment="application/group"), now)
    forges.send(deployment())
    forges.send(deployment(created_at=SECOND, deployment_id="d-000000001"))
    forges.send(deployment(group="europe"))
    forges.send(deployment(application="web"))
    made = [(*place[2:], each["environment"].get("type")) for place, each in forge.bitbucket.deployments.items()]
    assert made == [
        ("api/production", NUMBER, "PRODUCTION"),
        ("api/production", NUMBER + 1, "PRODUCTION"),
        ("api/europe", NUMBER, None),
        ("web/production", NUMBER, "PRODUCTION"),
    ]


def test_an_older_data_center_gets_build_statuses_and_no_deployments(forge: Forge) -> None:
    forge.bitbucket.has_deployments = False
    forges = Forges(config(forge, DATA_CENTER), now)
    with pytest.raises(WorldError, match=r"d-AB12CD34E of acme/shop@.*status 404.*since 7\.16") as caught:
        forges.send(deployment())
    assert not caught.value.retryable  # what comes behind it must not wait for it
    forges.send(message("bitbucket-data-center:shop"))
    assert len(forge.bitbucket.builds) == 1


def test_a_deployment_waits_for_a_repository_that_the_token_does_not_see(forge: Forge) -> None:
    forge.bitbucket.repositories.clear()
    with pytest.raises(WorldError, match=r"status 404: Repository acme/shop .*may the token see it") as caught:
        Forges(config(forge, DATA_CENTER), now).send(deployment())
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("production", "PRODUCTION"),
        ("EU-prod", "PRODUCTION"),
        ("staging_2", "STAGING"),
        ("qa", "TESTING"),
        ("dev", "DEVELOPMENT"),
        ("blue", None),
        ("non-prod", None),
        ("prod-test", None),
        ("product", None),
    ],
)
def test_what_kind_an_environment_is_its_name_says_or_nobody(group: str, kind: str | None) -> None:
    assert tier(group) == kind


@given(PLACES, PLACES)
def test_keys_are_short_stable_and_differ_where_the_groups_do(one: dict[str, str], other: dict[str, str]) -> None:
    assert len(key(report(**one))) <= LONGEST_KEY
    assert key(report(**one)) == key(report(**one, state="Failed", deployment_id="d-000000002"))
    assert (key(report(**one)) == key(report(**other))) == (one == other)
