"""Build statuses at Bitbucket, Cloud and Data Center."""

import pytest
from forge_cases import COMMIT, TOKEN, config, message, now, report
from forge_stub import Fault, Forge
from hypothesis import given
from hypothesis import strategies as st

from runner.config import Config
from runner.errors import WorldError
from runner.forges import Forges
from runner.forges.bitbucket import LONGEST_KEY, key

CLOUD, DATA_CENTER = "bitbucket", "bitbucket-data-center"
NAMES = st.text("abc-", min_size=1, max_size=40)
PLACES = st.fixed_dictionaries({"application": NAMES, "group": NAMES})


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


@given(PLACES, PLACES)
def test_keys_are_short_stable_and_differ_where_the_groups_do(one: dict[str, str], other: dict[str, str]) -> None:
    assert len(key(report(**one))) <= LONGEST_KEY
    assert key(report(**one)) == key(report(**one, state="Failed", deployment_id="d-000000002"))
    assert (key(report(**one)) == key(report(**other))) == (one == other)
