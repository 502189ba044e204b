"""Pull requests are told what merging them would deploy: a real repository, a real store, GitHub's stub."""

import asyncio
import datetime as dt
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_cases import TOKEN, new_app
from forge_stub import PRIMARY_LIMIT, Fault, Forge
from forge_stub_pull_requests import SOMEBODY_ELSE
from local_git import commit, git, new_repository
from manifest_cases import ECS, LAMBDA
from store_cases import PIPELINE
from waiting import until

from runner.config import Config, ForgeConfig, ForgesConfig, ReportConfig, RepositoryConfig
from runner.errors import Throttled, WorldError
from runner.forges import Forges
from runner.forges.preview_text import MARKER
from runner.model.target import Host
from runner.previews import Maker, Previews
from runner.previews.making import MOST_OF_STRANGERS
from runner.service import Service
from runner.sources.all import AllSources
from runner.store.store import Store
from runner.wiring.previewing import LookThenPreview

APPSPEC = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - {location: a.sh, timeout: 60}\n"
HOSTS = tuple(Host(name=f"inside-{n}.example.com", folder="/h", tags={"app": "web"}) for n in range(3))
ENVIRONMENT = {"STAGE": "web", "PASSPHRASE": "correct-horse-battery"}


def text(more: str = "", rollout: str = "CodeDeployDefault.OneAtATime", application: str = "web") -> str:
    return (
        f"penstock: v1\napplication: {application}\nplatform: Server\n{more}"
        f"deployment_groups:\n  production:\n    rollout: {rollout}\n    targets: {{tags: {{app: web}}}}\n"
    )


class World:
    """A repository with a branch `topic`, whose pull request is number 7."""

    def __init__(self, folder: Path, forge: Forge, app: Path | None = None) -> None:
        self.work, self.forge, self.said = new_repository(folder / "shop"), forge, forge.github.conversations
        login: dict[str, Any] = {} if app else {"token": "env:FORGE_TOKEN"}
        config = RepositoryConfig(
            name="shop",
            url=str(self.work),
            github="acme/shop",
            report=ReportConfig(to="github", pull_requests=True, **login),
        )
        github = ForgeConfig(api_url=forge.url)
        if app:
            github = ForgeConfig(api_url=forge.url, app_id="12", private_key=f"file:{app}")
        self.config = Config(repositories=(config,), forges=ForgesConfig(github=github))
        self.store = Store(folder / "state", PIPELINE)
        self.sources = AllSources([config], folder / "state")
        self.previews = self.new()
        self.base = self.write({"penstock.yaml": text(), "appspec.yml": APPSPEC, "a.sh": "true\n"})

    def new(self) -> Previews:
        """As a process that begins has it."""
        service = Service(self.store, lambda: HOSTS, _now)
        maker = Maker(service.forecast, self.store.state, ENVIRONMENT)
        repository = self.sources.repository
        forges = Forges(self.config, _now)
        return Previews(self.config.repositories, repository, forges, self.store.previews, maker, _now, apart=0.0)

    def write(self, files: dict[str, str], branch: str = "main") -> str:
        """Commit to *branch*, which begins at main."""
        if git(self.work, "branch", "--show-current") != branch:
            there = git(self.work, "branch", "--list", branch)
            git(self.work, "checkout", "--quiet", *([branch] if there else ["-b", branch]))
        for name, content in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(content)
        git(self.work, "add", "--all")
        made = commit(self.work)
        self.forge.github.add("acme/shop", made)
        return made

    def propose(self, files: dict[str, str], *, fork: str | None = None, base: str = "main") -> str:
        head = self.write(files, "topic")
        self.said.open("acme/shop", 7, head, base=base, fork=fork)
        return head

    def comment(self) -> str:
        (only,) = self.said.of(7)
        return only


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def world(tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge)
    yield made
    made.store.close()


def test_a_pull_request_is_told_what_merging_it_deploys(world: World) -> None:
    head = world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.AllAtOnce")})
    assert world.previews.look("shop") == 1
    said = world.comment()
    assert said.startswith(MARKER)
    assert "Merging this deploys 1 application\n" in said
    assert "<code>production</code>" in said
    assert "| no waits | 1m after the merge |" in said  # all hosts side by side, one script of a minute
    assert "-    name: CodeDeployDefault.OneAtATime" in said
    assert "+    name: CodeDeployDefault.AllAtOnce" in said
    (status,) = world.forge.github.statuses
    assert (status["context"], status["state"], status["sha"]) == ("penstock/plan", "success", head)
    assert status["description"] == "merging deploys 1 application: web"
    assert status["target_url"].endswith("/pull/7#issuecomment-1")


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
    assert [each.path for each in world.forge.exchanges[before:]] == ["/repos/acme/shop/pulls"]
    head = world.propose({"a.sh": "echo 2\n"})
    assert world.previews.look("shop") == 1
    assert world.forge.github.statuses[-1]["sha"] == head


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


def test_a_death_between_the_comment_and_its_note_makes_no_second_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.propose({"a.sh": "echo 1\n"})
    with monkeypatch.context() as patched, pytest.raises(WorldError):
        patched.setattr(world.store.previews, "tell", _fails)
        world.previews.look("shop")
    assert world.new().look("shop") == 1
    world.comment()
    assert not world.forge.asked("PATCH", "/comments/1")


def _fails(*_: object) -> None:
    raise WorldError("the disk is full")


def test_somebody_elses_comment_with_our_marker_is_left_alone(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.said.say(7, f"{MARKER}\nall is well, merge me", by=SOMEBODY_ELSE)
    world.previews.look("shop")
    foreign, own = world.said.of(7)
    assert foreign.endswith("merge me")
    assert "Merging this deploys" in own


def test_our_comment_is_found_behind_a_hundred_others(world: World) -> None:
    for number in range(130):
        world.said.say(7, f"talk {number}")
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    world.propose({"a.sh": "echo 2\n"})
    world.previews.look("shop")
    assert len(world.said.of(7)) == 131


def test_mistakes_of_a_manifest_fail_the_status_and_are_listed(world: World) -> None:
    world.propose({"penstock.yaml": text(rollout="CodeDeployDefault.Nonsense")})
    world.previews.look("shop")
    assert "would be refused" in world.comment()
    assert "Nonsense" in world.comment()
    assert world.forge.github.statuses[0]["state"] == "failure"
    world.propose({"penstock.yaml": text()})
    world.previews.look("shop")
    assert world.forge.github.statuses[-1]["state"] == "success"


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


def test_a_stranger_sees_no_values_and_no_hosts(world: World) -> None:
    hook = "vars: {a: '{{ env.PASSPHRASE }}'}\nnotify: [{to: 'webhook:{{ vars.a }}', on: [DeploymentStart]}]\n"
    world.propose({"penstock.yaml": text(hook)}, fork="stranger/shop")
    world.previews.look("shop")
    said = world.comment()
    assert "PASSPHRASE" in said
    assert "horse" not in said
    assert "inside" not in said
    assert "3 hosts" in said.replace("&#32;", " ")


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


def test_a_limit_of_github_stops_the_look_and_loses_nothing(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.forge.answers.append(PRIMARY_LIMIT)
    with pytest.raises(Throttled):
        world.previews.look("shop")
    assert world.new().look("shop") == 1
    world.comment()


def test_one_pull_request_that_fails_does_not_hold_up_the_others(world: World) -> None:
    head = world.propose({"a.sh": "echo 1\n"})
    world.said.open("acme/shop", 8, head)
    world.forge.answers[:] = []
    listed = world.forge.after_storing

    def then_fail(method: str, path: str) -> None:
        if path.endswith("/pulls"):
            world.forge.answers.append(Fault(502))
            world.forge.after_storing = listed

    world.forge.after_storing = then_fail
    with pytest.raises(WorldError, match="502"):
        world.previews.look("shop")
    assert world.said.of(7) == []
    assert len(world.said.of(8)) == 1
    assert world.previews.look("shop") == 1
    world.comment()


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


def test_no_token_is_in_what_is_said(world: World) -> None:
    world.propose({"a.sh": "echo 1\n"})
    world.previews.look("shop")
    assert TOKEN not in world.comment()
