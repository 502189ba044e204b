"""Reports are written with what they tell: by a real store, as deployments go."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from store_cases import PIPELINE, World, group, manifest

from runner.model.manifest import Trigger
from runner.model.report import Report, Reporting
from runner.model.revision import GitHubRevision, Revision, S3Revision
from runner.model.status import UndeliveredState
from runner.ports import Message
from runner.store.store import Store

SHOP = Reporting(repository="shop", forge="github", github="acme/shop")
PRODUCTION = manifest(group("production"))


def world(folder: Path, *reportings: Reporting) -> World:
    made = World(folder)
    made.store.close()
    made.store = Store(folder, PIPELINE, None, reportings)
    return made


def told(world: World) -> list[Message]:
    """All that is due, taken away."""
    messages: list[Message] = []
    while due := world.store.outbox.due_messages(world.now, 100):
        messages += due
        for each in due:
            world.store.outbox.message_sent(each.id, world.now)
    return messages


def states(messages: Sequence[Message]) -> list[tuple[str | None, ...]]:
    return [tuple(each.body[name] for name in ("kind", "state", "commit_id")) for each in messages]


def push(world: World, digit: str, revision: Revision) -> None:
    """A change whose manifest asks for *revision*."""
    world.tick()
    world.store.observe("shop", {"refs/heads/main": digit * 40}, "poll", world.now)
    change = world.store.pending_changes(world.now)[-1]
    world.store.act(change, (PRODUCTION,), [(PRODUCTION, revision)], world.now, message="")
    world.settle()


def test_a_deployment_is_reported_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    here = world(tmp_path, SHOP)
    here.push("1", PRODUCTION)
    here.settle()
    messages = told(here)
    commit = "1" * 40
    assert states(messages) == [
        ("status", "Running", commit),
        ("deployment", "Running", commit),
        ("status", "Succeeded", commit),
        ("deployment", "Succeeded", commit),
    ]
    assert {each.to for each in messages} == {"github:shop"}


def test_data_center_is_told_of_deployments_with_numbers_that_grow(tmp_path: Path) -> None:
    here = world(tmp_path, Reporting(repository="shop", forge="bitbucket-data-center"))
    numbers = []
    for digit in "12":
        here.tick()
        here.push(digit, PRODUCTION)
        here.settle()
        messages = [each.body for each in told(here) if each.body["kind"] == "deployment"]
        assert [each["state"] for each in messages] == ["Running", "Succeeded"]
        numbers.append([msgspec.convert(each, Report).number for each in messages])
    (first, again), (later, _) = numbers
    assert first == again < later < 2**53


def test_a_rollback_is_reported_at_the_commit_that_it_goes_back_to(tmp_path: Path) -> None:
    here = world(tmp_path, Reporting(repository="shop", forge="bitbucket"))
    careful = manifest(group("production", rollback_on=("DEPLOYMENT_FAILURE",)))
    here.push("1", careful)
    here.settle()
    told(here)
    failing = iter((True, True))
    here.fails = lambda event: next(failing, False)
    here.push("2", careful)
    here.settle()
    kinds = [(each[1], (each[2] or "")[0]) for each in states(told(here))]
    assert kinds == [("Running", "2"), ("Failed", "2"), ("Running", "1"), ("Succeeded", "1")]


def test_triggers_of_the_manifest_are_served_all_the_same(tmp_path: Path) -> None:
    here = world(tmp_path, SHOP)
    here.push("1", manifest(group("production", triggers=(Trigger(to="webhook:ops", on=("DeploymentStart",)),))))
    here.settle()
    assert [each.to for each in told(here)].count("webhook:ops") == 1


@pytest.mark.parametrize("reportings", [(), (Reporting(repository="blog", forge="github", github="acme/blog"),)])
def test_what_is_not_to_be_reported_is_not(tmp_path: Path, reportings: tuple[Reporting, ...]) -> None:
    here = world(tmp_path, *reportings)
    here.push("1", PRODUCTION)
    here.settle()
    assert told(here) == []


def test_a_bundle_in_s3_is_reported_at_the_commit_that_asked_for_it(tmp_path: Path) -> None:
    here = world(tmp_path, SHOP)
    push(here, "3", S3Revision(bucket="b", key="k.zip", bundle_type="zip", etag="e", commit_id="3" * 40))
    assert {each[2] for each in states(told(here))} == {"3" * 40}


def test_a_commit_that_the_api_names_by_its_place_on_github_is_reported_too(tmp_path: Path) -> None:
    here = world(tmp_path, SHOP)
    push(here, "4", GitHubRevision(repository="Acme/Shop", commit_id="5" * 40))
    assert {each[2] for each in states(told(here))} == {"5" * 40}


def test_the_state_says_to_whom_what_is_not_delivered_and_why(tmp_path: Path) -> None:
    here = world(tmp_path, SHOP)
    here.push("1", PRODUCTION)
    here.settle()
    assert here.store.state().undelivered_to == (UndeliveredState(to="github:shop", waiting=4, given_up=0),)
    (first,) = here.store.outbox.due_messages(here.now, 10)
    here.store.outbox.message_failed(first.id, "no such commit", None)
    (second,) = here.store.outbox.due_messages(here.now, 10)
    here.store.outbox.message_failed(second.id, "expired", here.now)
    state = here.store.state()
    assert state.undelivered_to == (UndeliveredState(to="github:shop", waiting=3, given_up=1, last_error="expired"),)
    told(here)
    assert here.store.state().undelivered_to[0].last_error == "no such commit"
