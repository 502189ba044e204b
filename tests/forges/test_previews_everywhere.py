"""What is the same of pull requests on GitHub, Bitbucket Cloud and Bitbucket Data Center: told once, edited, never lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_cases import TOKEN
from forge_previews import CLOUD, FORGES, GITHUB, LISTS, Check, World, text
from forge_stub import PRIMARY_LIMIT, Fault, Forge
from forge_stub_pull_requests import SOMEBODY_ELSE

from runner.errors import Throttled, WorldError
from runner.forges.markdown import BitbucketMarkup, GitHubMarkup

TOO_MANY = Fault(429, {"Retry-After": "30"}, {"message": "Rate limit exceeded"})


@pytest.fixture(params=FORGES)
def world(request: pytest.FixtureRequest, tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge, to=request.param)
    yield made
    made.store.close()


def marker(world: World) -> str:
    return (GitHubMarkup() if world.to == GITHUB else BitbucketMarkup()).marker("plan")


def written(world: World) -> int:
    """How many comments were written."""
    return sum(each.method == "POST" and each.path.endswith("/comments") for each in world.forge.exchanges)


def test_a_pull_request_is_told_what_merging_it_deploys(world: World) -> None:
    head = world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.AllAtOnce")})
    assert world.previews.look("shop") == 1
    assert world.comment().startswith(f"{marker(world)}\n\n### Merging this deploys 1 application\n")
    assert "| web | production | CodeDeployDefault.AllAtOnce | no waits | 1m after the merge |" in world.text()
    assert "+    name: CodeDeployDefault.AllAtOnce" in world.text()
    assert world.checks() == [Check(head, "success", "merging deploys 1 application: web")]
    assert TOKEN not in world.comment()


def test_it_is_told_once_and_edited_when_its_head_or_its_base_moves(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    assert [world.previews.look("shop"), world.new().look("shop")] == [1, 0]
    first = world.comment()
    head = world.propose({"a.sh": "echo 2\n"})
    assert world.previews.look("shop") == 1
    assert head[:10] in world.comment() != first
    base = world.write({"penstock.yaml": text("rollback: {on: [failure]}\n")})
    assert world.previews.look("shop") == 1
    assert f"at {base[:10]}" in world.comment()


def test_a_base_that_moves_without_a_difference_costs_no_request(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    world.write({"README": "words\n"})
    before = len(world.forge.exchanges)
    assert world.previews.look("shop") == 0
    assert [each.path for each in world.forge.exchanges[before:]] == [LISTS[world.to]]
    head = world.propose({"a.sh": "echo 2\n"})
    assert world.previews.look("shop") == 1
    assert world.checks()[-1].commit == head


def test_a_death_between_the_comment_and_its_note_makes_no_second_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.propose({"a.sh": "echo 1\n"})
    with monkeypatch.context() as patched, pytest.raises(WorldError):
        patched.setattr(world.store.previews, "tell", fails)
        world.previews.look("shop")
    assert world.new().look("shop") == 1
    world.comment()
    assert not [each for each in world.forge.exchanges if each.method in ("PATCH", "PUT")]


def fails(*_: object) -> None:
    raise WorldError("the disk is full")


def test_an_answer_that_is_lost_makes_no_second_comment(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})

    def lose(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/comments"):
            raise ConnectionError  # the stub hangs up

    world.forge.after_storing = lose
    with pytest.raises(WorldError, match="could not be reached"):
        world.previews.look("shop")
    world.comment()
    world.forge.after_storing = lambda method, path: None
    assert world.new().look("shop") == 1
    world.comment()
    assert written(world) == 1


def test_state_that_is_lost_makes_no_second_comment(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    world.store.previews.keep("shop", [])
    world.propose({"a.sh": "echo 2\n"})
    assert world.new().look("shop") == 1
    world.comment()


def test_somebody_elses_comment_with_our_marker_is_left_alone(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.said.say(7, f"{marker(world)}\nall is well, merge me", by=SOMEBODY_ELSE)
    world.previews.look("shop")
    foreign, own = world.said.of(7)
    assert foreign.endswith("merge me")
    assert "Merging this deploys" in own


def test_our_comment_is_found_among_a_hundred_others(world: World) -> None:
    talk = iter(range(1_000))
    for _ in range(130):
        world.said.say(7, f"talk {next(talk)}")
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    for _ in range(130):
        world.said.say(7, f"talk {next(talk)}")
    world.propose({"a.sh": "echo 2\n"})
    world.previews.look("shop")
    assert len(world.said.of(7)) == 261


def test_mistakes_of_a_manifest_fail_the_check_and_are_listed(world: World) -> None:
    first = world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.Nonsense")})
    world.previews.look("shop")
    assert "would be refused" in world.text()
    assert "Nonsense" in world.text()
    second = world.propose({"penstock.yaml": text()})
    world.previews.look("shop")
    assert [(each.commit, each.state) for each in world.checks()] == [(first, "failure"), (second, "success")]


def test_a_stranger_sees_no_values_and_no_hosts(world: World) -> None:
    hook = "vars: {a: '{{ env.PASSPHRASE }}'}\nnotify: [{to: 'webhook:{{ vars.a }}', on: [DeploymentStart]}]\n"
    world.propose({"penstock.yaml": text(hook)}, fork="stranger/shop")
    world.previews.look("shop")
    said = world.text()
    assert "PASSPHRASE" in said
    assert "horse" not in said
    assert "inside" not in said
    assert "3 hosts" in said


@pytest.mark.parametrize("limit", [TOO_MANY, PRIMARY_LIMIT])
def test_a_limit_stops_the_look_and_loses_nothing(world: World, limit: Fault) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.forge.answers.append(limit)
    with pytest.raises(Throttled):
        world.previews.look("shop")
    with pytest.raises(Throttled, match="asked for a pause"):
        world.previews.look("shop")
    assert len(world.forge.exchanges) == 1
    assert world.new().look("shop") == 1
    world.comment()


@pytest.mark.parametrize("fault", [Fault(500), Fault(401)])
def test_what_somebody_may_mend_is_told_when_it_is_mended(world: World, fault: Fault) -> None:
    world.propose({"a.sh": "echo 1\n"})
    for after in range(4):  # the list, its commits, the comments, the comment, the status: one of them fails each time
        world.forge.answers[:] = []
        fail_after(world, after, fault)
        with pytest.raises(WorldError, match=str(fault.status)):
            world.new().look("shop")
    assert world.new().look("shop") == 1
    world.comment()
    assert written(world) <= 2  # one that failed, and one that did not


def fail_after(world: World, count: int, fault: Fault) -> None:
    """The request after *count* others fails."""
    left = [count]

    def countdown(method: str, path: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            world.forge.answers.append(fault)

    world.forge.after_storing = countdown
    if count == 0:
        world.forge.answers.append(fault)


def test_one_pull_request_that_fails_does_not_hold_up_the_others(world: World) -> None:
    head = world.propose({"a.sh": "echo 1\n"})
    world.said.open("acme/shop", 8, head)
    last = "/7/commits" if world.to == CLOUD else LISTS[world.to]

    def then_fail(method: str, path: str) -> None:
        if path.endswith(last):
            world.forge.answers.append(Fault(502))
            world.forge.after_storing = lambda method, path: None

    world.forge.after_storing = then_fail
    with pytest.raises(WorldError, match="502"):
        world.previews.look("shop")
    assert sorted(len(world.said.of(number)) for number in (7, 8)) == [0, 1]
    (failure,) = world.store.state().pull_requests
    assert (failure.untold, failure.failures) == (1, 1)
    assert "502" in failure.error
    assert world.previews.look("shop") == 1
    assert [len(world.said.of(number)) for number in (7, 8)] == [1, 1]
    assert world.store.state().pull_requests == ()


def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    told = world.store.previews.told("shop")
    for nonsense in ({"values": None}, "words", {"message": "all is well"}):
        answer: Any = Fault(200, {}, nonsense)
        world.forge.answers.append(answer)
        with pytest.raises(WorldError, match="does not list"):
            world.new().look("shop")
    assert world.store.previews.told("shop") == told
