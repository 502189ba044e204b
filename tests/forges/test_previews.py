"""Pull requests are told what merging them would deploy: a real repository, a real store, GitHub's stub."""

import asyncio
import html
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from forge_cases import new_app
from forge_previews import APPSPEC, World, text
from forge_stub import Forge
from local_git import git
from manifest_cases import ECS, LAMBDA
from waiting import until

from runner.errors import WorldError
from runner.previews.making import MOST_OF_STRANGERS
from runner.wiring.previewing import LookThenPreview


@pytest.fixture
def world(tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge)
    yield made
    made.store.close()


def test_a_pull_request_is_told_what_merging_it_deploys(world: World) -> None:
    head = world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.AllAtOnce")})
    assert world.previews.look("shop") == 1
    said = world.comment()
    assert "Merging this deploys 1 application\n" in said
    assert "<code>production</code>" in said
    assert "| no waits | 1m after the merge |" in said  # all hosts side by side, one script of a minute
    assert "-    name: CodeDeployDefault.OneAtATime" in said
    assert "+    name: CodeDeployDefault.AllAtOnce" in said
    (status,) = world.forge.github.statuses
    assert (status["context"], status["state"], status["sha"]) == ("penstock/plan", "success", head)
    assert status["description"] == "merging deploys 1 application: web"
    assert status["target_url"].endswith("/pull/7#issuecomment-1")


def test_a_fork_that_changes_very_many_manifests_is_not_rendered(world: World) -> None:
    many = {f"a{number}/penstock.yaml": text(application=f"a{number}") for number in range(MOST_OF_STRANGERS + 1)}
    world.propose(many, fork="stranger/shop")
    world.previews.look("shop")
    assert world.forge.github.statuses[0]["description"].startswith("cannot be looked at: it is from a fork")


def test_what_only_the_base_has_is_no_part_of_the_plan(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.write({"other/penstock.yaml": text(application="other"), "other/appspec.yml": APPSPEC})
    world.previews.look("shop")
    assert world.forge.github.statuses[-1]["description"] == "merging deploys 1 application: web"
    assert "<code>other</code>" not in world.comment()


def test_with_an_app_it_is_a_check_with_mistakes_at_their_lines(forge: Forge, tmp_path: Path) -> None:
    world = World(tmp_path, forge, new_app(forge, tmp_path, "acme/shop"))
    head = world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.Nonsense")})
    world.previews.look("shop")
    (run,) = world.said.checks
    assert (run["name"], run["head_sha"], run["conclusion"]) == ("penstock/plan", head, "failure")
    (asked,) = forge.asked("POST", "/check-runs")
    (note,) = asked.body["output"]["annotations"]
    assert (note["path"], note["start_line"]) == ("penstock.yaml", 6)
    assert not forge.github.statuses
    world.store.previews.keep("shop", [])  # as after a death before the note
    assert world.new().look("shop") == 1
    assert len(world.said.checks) == len(world.said.of(7)) == 1
    world.store.close()


def test_our_own_people_plan_with_values_and_publish_none(world: World) -> None:
    tags = text().replace("{app: web}", "{app: '{{ env.STAGE }}'}")
    hook = "notify: [{to: 'webhook:{{ env.PASSPHRASE }}', on: [DeploymentStart]}]\n"
    world.propose({"penstock.yaml": tags.replace("deployment_groups", hook + "deployment_groups")})
    world.previews.look("shop")
    said = world.comment()
    assert "inside" in said  # the hosts were found by the value
    assert "horse" not in said
    assert "webhook:PASSPHRASE" in said  # in the difference
    assert world.forge.github.statuses[0]["state"] == "success"


def test_a_merge_with_conflicts_is_said_to_have_them(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.write({"a.sh": "echo 2\n"})
    world.previews.look("shop")
    assert "conflicts" in world.comment()
    assert world.forge.github.statuses[0]["description"].startswith("has conflicts with main")


def test_a_commit_that_the_remote_does_not_show_yet_is_waited_for(world: World) -> None:
    later = git(world.work, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "later")
    world.said.open("acme/shop", 7, "e" * 40)
    with pytest.raises(WorldError, match="e" * 40):
        world.previews.look("shop")
    assert world.said.comments == []
    git(world.work, "branch", "topic", later)
    world.forge.github.add("acme/shop", later)
    world.said.open("acme/shop", 7, later)
    assert world.previews.look("shop") == 1


def test_what_concerns_no_application_deploys_nothing(world: World) -> None:
    world.write({"penstock.yaml": text("watch: {paths: ['src/**']}\n")})
    world.propose({"README": "words\n"})
    world.previews.look("shop")
    assert "Merging this deploys nothing" in world.comment()
    assert world.forge.github.statuses[0]["description"] == "merging deploys nothing"


def test_a_pull_request_into_a_branch_that_nobody_watches_is_left_alone(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"}, base="experiments")
    assert world.previews.look("shop") == 0
    assert world.said.of(7) == []


def test_a_group_of_instances_in_ec2_is_planned_without_asking_aws(world: World) -> None:
    world.propose({"penstock.yaml": text().replace("tags: {app: web}", "auto_scaling_groups: [web]")})
    world.previews.look("shop")
    assert "| unknown | unknown |" in world.comment()
    assert world.forge.github.statuses[0]["state"] == "success"


def test_a_function_is_planned_without_asking_s3(world: World) -> None:
    world.propose({"penstock.yaml": LAMBDA, "resize/a.py": "1\n"})
    world.previews.look("shop")
    said = html.unescape(world.comment())
    assert "5 % of the traffic" in said
    assert "once staging has the same revision, 15m after that" in said
    assert world.forge.github.statuses[0]["description"] == "merging deploys 1 application: resize"


def test_a_service_is_planned_by_the_task_definition_of_the_merge(world: World) -> None:
    task = {
        "family": "api",
        "containerDefinitions": [{"name": "api", "memory": 512, "command": ["{{ commit.short }}"]}],
    }
    world.propose({"penstock.yaml": ECS, "ecs/task.json": json.dumps(task)})
    world.previews.look("shop")
    said = html.unescape(world.comment())
    assert "start the replacement, 100 % of its tasks" in said
    assert "keep the old version for 1h" in said
    assert world.forge.github.statuses[0]["state"] == "success"
    world.propose({"ecs/task.json": "{"})
    world.previews.look("shop")
    assert "ecs/task.json" in world.comment()
    assert world.forge.github.statuses[-1]["description"] == "nothing would be deployed: api would be refused"


def test_an_application_that_loses_its_manifest_is_named(world: World) -> None:
    world.write({"other/penstock.yaml": text(application="other"), "other/appspec.yml": APPSPEC})
    git(world.work, "checkout", "--quiet", "-b", "topic")
    git(world.work, "rm", "--quiet", "penstock.yaml")
    world.propose({"README": "words\n"})
    world.previews.look("shop")
    assert "left as deployed: <code>web</code>" in world.comment()


class Looks:
    def __init__(self) -> None:
        self.names: list[str] = []

    async def look_now(self, name: str) -> None:
        self.names.append(name)


def test_a_delivery_of_a_webhook_has_the_pull_requests_looked_at(world: World) -> None:
    async def go() -> None:
        running, looks = asyncio.create_task(world.previews.run()), Looks()
        try:
            await until(lambda: len(world.forge.asked("GET", "/pulls")) == 1)
            world.propose({"a.sh": "echo 1\n"})
            await LookThenPreview(looks, world.previews).look_now("shop")
            await until(lambda: len(world.said.of(7)) == 1 and 7 in world.store.previews.told("shop"))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert looks.names == ["shop"]

    asyncio.run(go())


def test_a_list_that_has_not_changed_is_not_sent_again(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    for _ in range(3):
        world.previews.look("shop")
    assert [each.status for each in world.forge.asked("GET", "/pulls")] == [200, 304, 304]
    head = world.propose({"a.sh": "echo 2\n"})
    assert world.previews.look("shop") == 1
    assert world.checks()[-1].commit == head
