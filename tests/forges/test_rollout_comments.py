"""The pull request whose merge was deployed is told how that goes: a real store, GitHub's stub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_cases import config, now
from forge_stub import Forge
from store_cases import PIPELINE, World, group, manifest

from runner.errors import UserError
from runner.forges import Forges
from runner.forges.markdown import BitbucketMarkup, GitHubMarkup
from runner.forges.rollout_text import ROLLOUT
from runner.model.manifest import After
from runner.model.report import Reporting
from runner.plan.rollout_rows import MOST_ROWS
from runner.store.store import Store

SHOP = Reporting(repository="shop", forge="github", github="acme/shop", pull_requests=True)
COMMIT = "1" * 40


@pytest.fixture
def here(tmp_path: Path, forge: Forge) -> Iterator[World]:
    """Commit 1 is the merge of pull request 7."""
    forge.github.add("acme/shop", COMMIT, "2" * 40)
    forge.github.conversations.merged[COMMIT] = [7]
    made = World(tmp_path)
    made.store.close()
    made.store = Store(tmp_path, PIPELINE, None, (SHOP,))
    yield made
    made.store.close()


def deliver(world: World, forge: Forge, to: str = "github") -> int:
    """Everything that waits, in order. Returns how many of these were about pull requests."""
    forges = Forges(config(forge, to, pull_requests=True), now, world.store.rollouts.of)
    told = 0
    while due := world.store.outbox.due_messages(world.now, 100):
        for each in due:
            forges.send(each)
            told += each.body.get("kind") == "rollout"
            world.store.outbox.message_sent(each.id, world.now)
    return told


def said(forge: Forge) -> str:
    (only,) = forge.github.conversations.of(7)
    return str(only).replace("&#45;", "-").replace("&#44;", ",")


def test_a_merged_pull_request_has_one_comment_that_follows_its_deployments(here: World, forge: Forge) -> None:
    (name,) = here.push("1", manifest(group("production")))
    actions = here.step([])
    deliver(here, forge)
    while actions:
        actions = here.step(actions)
    before = forge.github.conversations.of(7)
    deliver(here, forge)
    after = said(forge)
    marker = GitHubMarkup().marker(ROLLOUT)
    assert after.startswith(f"{marker}\n\n### Deployed\n")
    assert f"[<code>{name}</code>](https://penstock.example.com/deployments/{name}) | succeeded |" in after
    assert "2 done, 0 failed, 0 skipped" in after
    assert not before or before[0].startswith(f"{marker}\n\n### Deploying: 0 of 1 deployment done")


def test_much_that_happens_waits_as_two_messages(here: World, forge: Forge) -> None:
    here.push("1", manifest(*(group(f"g{number}") for number in range(9))))
    here.settle()
    assert deliver(here, forge) == 2
    assert said(forge).count("succeeded") == 9


def test_a_rollback_stands_beside_what_it_undoes(here: World, forge: Forge) -> None:
    careful = manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",)))
    here.push("2", careful)
    here.settle()
    failing = iter((True, True))
    here.fails = lambda event: next(failing, False)
    here.push("1", careful)
    here.settle()
    deliver(here, forge)
    text = said(forge)
    assert "### 1 of 2 deployments failed or stopped" in text
    assert "rolled back by d-" in text
    assert "rolls back d-" in text


def test_groups_that_wait_for_others_are_shown_as_waiting(here: World, forge: Forge) -> None:
    second = group("production", after=After(group="staging"))
    here.push("1", manifest(group("staging"), second))
    here.step(here.step([]))
    deliver(here, forge)
    assert "<code>production</code>" in said(forge)
    assert "| waits |" in said(forge)


def test_a_commit_that_is_no_merge_of_a_pull_request_is_told_nobody(here: World, forge: Forge) -> None:
    here.push("2", manifest(group("production")))
    here.settle()
    assert deliver(here, forge) > 0
    assert forge.github.conversations.comments == []


def test_a_pull_request_that_has_the_commit_and_was_not_made_of_it_is_left_alone(here: World, forge: Forge) -> None:
    forge.github.conversations.merged["2" * 40] = [8]
    forge.github.conversations.merge_commit = "f" * 40
    here.push("2", manifest(group("production")))
    here.settle()
    deliver(here, forge)
    assert forge.github.conversations.of(8) == []


def test_many_deployments_are_shown_up_to_a_number(here: World, forge: Forge) -> None:
    here.push("1", *(manifest(group("production"), application=f"a{number}") for number in range(MOST_ROWS + 5)))
    here.settle()
    deliver(here, forge)
    assert "5 deployments more are not shown" in said(forge).replace("&#32;", " ")


def test_a_configuration_that_tells_no_pull_requests_any_more_gives_the_message_up(here: World, forge: Forge) -> None:
    here.push("1", manifest(group("production")))
    here.settle()
    forges = Forges(config(forge), now, here.store.rollouts.of)
    due = here.store.outbox.due_messages(here.now, 100)
    while due and due[0].body.get("kind") != "rollout":
        here.store.outbox.message_sent(due[0].id, here.now)
        due = here.store.outbox.due_messages(here.now, 100)
    with pytest.raises(UserError, match="pull requests of shop"):
        forges.send(due[0])


@pytest.mark.parametrize("to", ["bitbucket", "bitbucket-data-center"])
def test_bitbucket_has_one_comment_on_the_merge_that_follows_its_deployments(
    tmp_path: Path, forge: Forge, to: Any
) -> None:
    talk = forge.bitbucket.conversations
    talk.merged.update({COMMIT: [7], "3" * 40: [8]})
    world = World(tmp_path)
    world.store.close()
    reporting = Reporting(repository="shop", forge=to, github=None, pull_requests=True)
    world.store = Store(tmp_path, PIPELINE, None, (reporting,))
    (name,) = world.push("1", manifest(group("production")))
    actions, first = world.step([]), ""
    while actions:
        actions = world.step(actions)
        deliver(world, forge, to)
        first = first or "".join(talk.of(7))
    (after,) = talk.of(7)
    world.store.close()
    marker = BitbucketMarkup().marker(ROLLOUT)
    assert first.startswith(f"{marker}\n\n### Deploying: 0 of 1 deployment done")
    assert after.startswith(f"{marker}\n\n### Deployed\n")
    assert f"[`{name}`](https://penstock.example.com/deployments/{name}) | succeeded |" in after
    assert talk.of(8) == []
