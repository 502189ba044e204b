"""Changes: recorded before they are acted on, acted on once."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

from store_cases import T0, manifest, revision

MAIN = "refs/heads/main"
A, B, C = "a" * 40, "b" * 40, "c" * 40


def pending(world):
    return [(change.ref, change.before, change.commit_id) for change in world.store.pending_changes(world.now)]


def test_a_ref_that_moved_is_one_change_however_often_it_is_seen(world):
    for _ in range(3):
        world.store.observe("shop", {MAIN: A}, "poll", world.now)
    assert pending(world) == [(MAIN, None, A)]


def test_a_change_that_was_acted_on_is_not_acted_on_again(world):
    world.store.observe("shop", {MAIN: A}, "poll", world.now)
    change = world.store.pending_changes(world.now)[0]
    first = world.store.act(change, [manifest()], [(manifest(), revision("a"))], world.now, message="")
    again = world.store.act(change, [manifest()], [(manifest(), revision("a"))], world.now, message="")
    assert len(first) == 2
    assert again == []
    assert len(world.store.deployments()) == 2


def test_a_thousand_applications_are_considered_at_once_and_what_changed_is_kept(world):
    some = [manifest(application=f"app-{number}", file=f"{number}/penstock.yaml") for number in range(1001)]
    for number, commit in enumerate((A, B)):
        some[number] = manifest(*reversed(some[number].groups), application=f"app-{number}", file="moved/penstock.yaml")
        world.store.observe("shop", {MAIN: commit}, "poll", world.now)
        (change,) = world.store.pending_changes(world.now)
        world.store.act(change, some, [], world.now, message="")
        assert world.store.considered_commits() == {each.application: commit for each in some}
        assert world.store.groups("app-1000") == ["staging", "production"]
    assert world.store.groups("app-1") == ["production", "staging"]


def test_a_newer_commit_supersedes_one_that_nobody_acted_on(world):
    world.store.observe("shop", {MAIN: A}, "poll", world.now)
    world.store.observe("shop", {MAIN: B}, "poll", world.now)
    assert pending(world) == [(MAIN, A, B)]
    assert [state.status for state in world.store.changes()] == ["Pending", "Superseded"]


def test_a_force_push_back_to_an_earlier_commit_is_a_change(world):
    for commit in (A, B, A):
        world.store.observe("shop", {MAIN: commit}, "poll", world.now)
        world.store.settle_change(world.store.pending_changes(world.now)[0].id, "Ignored", "seen")
    assert [state.change.commit_id[0] for state in world.store.changes()] == ["a", "b", "a"]


def test_of_the_tags_that_are_there_at_first_only_the_newest_is_a_change(world):
    tags = {"refs/tags/v1.9": A, "refs/tags/v1.10": B, "refs/tags/v1.2": C}
    world.store.observe("shop", {MAIN: C} | tags, "poll", world.now)
    assert {ref for ref, _, _ in pending(world)} == {MAIN, "refs/tags/v1.10"}
    more = {"refs/tags/v1.11": A, "refs/tags/v1.3": A}
    world.store.observe("shop", {MAIN: C} | more | tags, "poll", world.now)
    assert [ref for ref, _, _ in pending(world)] == [MAIN, "refs/tags/v1.10", "refs/tags/v1.11"]


def test_a_tag_that_is_moved_is_a_change(world):
    tags = {"refs/tags/v1": A, "refs/tags/v2": B}
    world.store.observe("shop", tags, "poll", world.now)
    world.store.observe("shop", tags | {"refs/tags/v1": C}, "poll", world.now)
    assert ("refs/tags/v1", A, C) in pending(world)


def test_a_branch_that_is_deleted_and_comes_back_is_a_change(world):
    world.store.observe("shop", {MAIN: A, "refs/heads/x": B}, "poll", world.now)
    world.store.observe("shop", {MAIN: A}, "poll", world.now)
    assert len(pending(world)) == 2
    world.store.observe("shop", {MAIN: A, "refs/heads/x": B}, "poll", world.now)
    assert [state.change.ref for state in world.store.changes()].count("refs/heads/x") == 2


def test_a_postponed_change_comes_back_when_its_time_has_come(world):
    world.store.observe("shop", {MAIN: A}, "poll", world.now)
    change = world.store.pending_changes(world.now)[0]
    world.store.postpone_change(change.id, "not reachable", T0 + dt.timedelta(seconds=10))
    assert pending(world) == []
    assert world.store.next_change_at() == T0 + dt.timedelta(seconds=10)
    world.tick(10)
    assert pending(world) == [(MAIN, None, A)]
    assert world.store.changes()[0].attempts == 1


def test_repositories_do_not_mix(world):
    world.store.observe("shop", {MAIN: A}, "poll", world.now)
    world.store.observe("other", {MAIN: A}, "poll", world.now)
    assert len(pending(world)) == 2


def test_every_write_changes_the_version_whichever_thread_looks(world):
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(20):
            before = set(threads.map(lambda _: world.store.version(), range(8)))
            world.store.observe(f"shop-{round_}", {MAIN: A}, "poll", world.now)
            after = set(threads.map(lambda _: world.store.version(), range(8)))
            assert len(before) == len(after) == 1
            assert before != after
