"""`penstock plan` and `validate` for functions and services: real S3 by moto, a real registry."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import moto_server
import pytest
from cli_cases import Penstock
from local_git import new_repository
from manifest_cases import ECS, LAMBDA
from registry import Registry, running_registry

from runner.cli import exits

TASK = {"family": "api", "containerDefinitions": [{"name": "api", "memory": 512, "command": ["{{ commit.short }}"]}]}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server.running_moto() as url:
        yield url


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    moto_server.reset(endpoint)
    for name, value in moto_server.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="acme-functions")
    return client


def commit(penstock: Penstock, **files: str) -> str:
    if not (penstock.here / ".git").exists():
        new_repository(penstock.here)
    for name, text in files.items():
        path = penstock.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return penstock.commit()


def resize(penstock: Penstock, bucket: Any, *, versioned: bool = True) -> str:
    """The worked example of Lambda, its code in S3; returns the commit."""
    head = commit(penstock, **{"penstock.yaml": LAMBDA})
    if versioned:
        bucket.put_bucket_versioning(Bucket="acme-functions", VersioningConfiguration={"Status": "Enabled"})
    bucket.put_object(Bucket="acme-functions", Key=f"resize/{head}.zip", Body=b"zip")
    return head


def api(penstock: Penstock, registry: Registry) -> tuple[str, str]:
    """The worked example of ECS, its image pushed; returns the commit and the digest."""
    text = ECS.replace("registry.example.com", registry.address)
    head = commit(penstock, **{"penstock.yaml": text, "ecs/task.json": json.dumps(TASK)})
    return head, registry.push("api", head)


def facts_of(said: str, group: str) -> list[str]:
    """The lines about one group, their spaces made one."""
    part = said[said.index(f"/{group} gets") :].split("\n\n")[0]
    return [" ".join(line.split()) for line in part.splitlines()[1:]]


def test_a_functions_weights_and_waits_are_shown(penstock: Penstock, bucket: Any) -> None:
    head = resize(penstock, bucket)
    said = penstock("plan")
    assert said.status == exits.FINE, said.err
    assert f"resize/staging gets s3://acme-functions/resize/{head}.zip?versionId=" in said.out
    assert facts_of(said.out, "staging") == [
        "now nothing yet",
        "rollout CodeDeployDefault.LambdaAllAtOnce: the traffic of alias live of function resize-staging",
        "step 1 publish a version of the function",
        "step 2 100 % of the traffic",
        "rollback when it fails and when an alarm stops it",
        "ends earliest as soon as it has moved; not much later, if AWS answers",
    ]
    assert facts_of(said.out, "production") == [
        "now nothing yet",
        "begins once staging has the same revision, 15m after that",
        "rollout ramp: the traffic of alias live of function resize-production",
        "step 1 publish a version of the function",
        "step 2 5 % of the traffic",
        "step 3 hold for 10m, watching errors",
        "step 4 25 % of the traffic, then more and more to 100 % in 5 shifts, 2m apart, watching errors",
        "rollback when it fails and when an alarm stops it",
        "ends earliest 33m after the start; not much later, if AWS answers",
    ]


def test_json_has_the_whole_program(penstock: Penstock, bucket: Any) -> None:
    resize(penstock, bucket)
    (group,) = penstock("--output", "json", "plan", "--group", "production").json["groups"]
    weights = [step["weight"] for step in group["steps"] if step.get("event") == "AllowTraffic"]
    assert weights == [5, 25, 45, 65, 85, 100]
    assert next(step["event"] for step in group["steps"] if step["type"] == "act") == "Publish"
    assert (group["target"], group["earliest_end"], group["latest_end"]) == ("resize-production", "PT1080S", "PT1080S")
    assert group["settings"]["checks"] == {"errors": {"type": "cloudwatch_alarm", "name": "resize-production-errors"}}


def test_a_services_steps_are_shown(penstock: Penstock, registry: Registry) -> None:
    _, digest = api(penstock, registry)
    said = penstock("plan")
    assert said.status == exits.FINE, said.err
    assert f"api/production gets {registry.address}/api@{digest}" in said.out
    assert facts_of(said.out, "production") == [
        "now nothing yet",
        "begins once staging has the same revision, 1h after that",
        "rollout blue_green: the traffic of service production:api",
        "step 1 start the replacement, 100 % of its tasks",
        "step 2 the test listener leads to the replacement",
        "step 3 check contract",
        "step 4 10 % of the traffic",
        "step 5 hold for 15m, watching errors",
        "step 6 100 % of the traffic",
        "step 7 keep the old version for 1h, watching errors",
        "step 8 end the old version",
        "but where ECS itself replaces the tasks (deployment controller ECS) this rollout cannot be",
        "rollback when it fails and when an alarm stops it and when it is stopped",
        "ends earliest 2h15m after the start; latest 4h15m if the start of the tasks takes as long as it may",
    ]
    assert "it is one rolling update, and nothing is shifted" in facts_of(said.out, "staging")[-3]


def test_a_hook_has_an_hour_and_a_linear_configuration_is_one_line(penstock: Penstock, bucket: Any) -> None:
    linear = "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes"
    text = LAMBDA.replace("CodeDeployDefault.LambdaAllAtOnce", linear).replace(
        "alias: live", "alias: live, hooks: {AfterAllowTraffic: smoke}"
    )
    head = commit(penstock, **{"penstock.yaml": text})
    bucket.put_bucket_versioning(Bucket="acme-functions", VersioningConfiguration={"Status": "Enabled"})
    bucket.put_object(Bucket="acme-functions", Key=f"resize/{head}.zip", Body=b"zip")
    facts = facts_of(penstock("plan", "--group", "staging").out, "staging")
    assert facts[2:5] == [
        "step 1 publish a version of the function",
        "step 2 10 % of the traffic, then more and more to 100 % in 10 shifts, 2m apart",
        "step 3 AfterAllowTraffic: smoke validates",
    ]
    assert facts[-1] == "ends earliest 18m after the start; latest 1h18m if every hook takes as long as it may"


def test_code_in_a_bucket_without_versions_is_refused(penstock: Penstock, bucket: Any) -> None:
    resize(penstock, bucket, versioned=False)
    said = penstock("plan")
    assert said.status == exits.USERS_MISTAKE
    assert "has no version, so it cannot be pinned by it" in said.err


def test_a_task_definition_with_a_mistake_is_refused(penstock: Penstock, registry: Registry) -> None:
    api(penstock, registry)
    head = commit(penstock, **{"ecs/task.json": json.dumps(TASK).replace("memory", "memry")})
    registry.push("api", head)
    said = penstock("plan")
    assert said.status == exits.USERS_MISTAKE
    assert "ecs/task.json:1 containerDefinitions[0].memry: unknown key; did you mean memory?" in said.err


def test_an_image_that_was_not_pushed_is_named(penstock: Penstock, registry: Registry) -> None:
    text = ECS.replace("registry.example.com", registry.address).replace("}}/api", "}}/never")
    head = commit(penstock, **{"penstock.yaml": text, "ecs/task.json": json.dumps(TASK)})
    said = penstock("plan")
    assert said.status == exits.USERS_MISTAKE
    assert f"there is no image {registry.address}/never:{head}; was it pushed?" in said.err


@pytest.mark.parametrize("name", ["appspec.yaml", "appspec.json"])
def test_validate_reads_an_appspec_by_what_it_is_for(penstock: Penstock, name: str) -> None:
    properties = {"Name": "f", "Alias": "a", "CurrentVersion": "1", "TargetVersion": "2"}
    resource = {"f": {"Type": "AWS::Lambda::Function", "Properties": properties}}
    appspec = {"version": 0.0, "Resources": [resource], "Hooks": [{"BeforeAllowTrafic": "check"}]}
    (penstock.here / name).write_text(json.dumps(appspec))
    said = penstock("validate", name)
    assert f"{name}:1 Hooks[0].BeforeAllowTrafic: unknown key; did you mean BeforeAllowTraffic?" in said.out
    (penstock.here / name).write_text(json.dumps(appspec).replace("Trafic", "Traffic"))
    assert penstock("validate", name).status == exits.FINE


def test_validate_reads_what_a_manifest_of_a_service_names(penstock: Penstock) -> None:
    folder: Path = penstock.here / "api"
    (folder / "ecs").mkdir(parents=True)
    (folder / "penstock.yaml").write_text(ECS)
    said = penstock("validate")
    assert "service.task_definition: there is no api/ecs/task.json; every deployment needs it" in said.out
    (folder / "ecs" / "task.json").write_text(json.dumps(TASK).replace("commit.short", "commit.shrt"))
    said = penstock("validate")
    assert (
        "api/ecs/task.json:1 containerDefinitions[0].command[0]: commit.shrt is not defined; did you mean commit.short?"
        in said.out
    )
    (folder / "ecs" / "task.json").write_text(json.dumps(TASK))
    assert penstock("validate").out == "2 files checked: all is well\n"


def test_validate_does_not_judge_values_of_an_environment_that_is_not_here(penstock: Penstock) -> None:
    text = ECS.replace("vars: {registry", "vars: {memory: '{{ env.MEMORY }}', registry")
    text = text.replace("{name: api, port", "{name: '{{ env.CONTAINER }}', port")
    task = json.dumps(TASK).replace("512", '"{{ vars.memory }}"')
    (penstock.here / "ecs").mkdir()
    (penstock.here / "penstock.yaml").write_text(text)
    (penstock.here / "ecs" / "task.json").write_text(task)
    assert penstock("validate").out == "2 files checked: all is well\n"
    (penstock.here / "ecs" / "task.json").write_text(task.replace("vars.memory", "vars.memry"))
    assert "vars.memry is not defined; did you mean vars.memory?" in penstock("validate").out


def test_validate_wants_the_appspec_that_a_manifest_names(penstock: Penstock) -> None:
    text = "penstock: v1\napplication: a\nplatform: Lambda\nappspec: deploy.yaml\ndeployment_groups: {all: {}}\n"
    (penstock.here / "penstock.yaml").write_text(text)
    assert "penstock.yaml:4 appspec: there is no deploy.yaml; every deployment needs it" in penstock("validate").out
    (penstock.here / "deploy.yaml").write_text("version: 0.0\n")
    assert "deploy.yaml:1: Resources is missing; expected a list of one function" in penstock("validate").out
