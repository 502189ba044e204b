"""`penstock deploy` of manifests for functions and services, from the commit to the traffic, on a corrected moto."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cases import Penstock
from local_git import new_repository
from registry import Registry, running_registry
from support.cloud import Cloud
from support.ecs_world import CLUSTER, CONTAINER, PORT, SERVICE, EcsWorld
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from support.functions import archive, greeting, make_function, shares

from runner.cli import exits

FUNCTION = """\
penstock: v1
application: resize
platform: Lambda
revision: {s3: {bucket: acme-functions, key: "{{ commit.id }}.zip"}}
function: {name: "resize-{{ group }}", alias: live}
rollouts:
  ramp: {steps: [{shift: 20%}, {hold: 1s}, {shift: {by: 40%, every: 1s}}]}
deployment_groups:
  production: {rollout: ramp}
"""

SERVED = """\
penstock: v1
application: api
platform: ECS
revision: {image: {repository: REGISTRY/api, tag: "{{ commit.id }}"}}
service:
  cluster: CLUSTER
  name: SERVICE
  task_definition: ecs/task.json
  container: {name: CONTAINER, port: PORT}
  routes: [{listener: LISTENER, test_listener: TESTED, target_groups: [blue, green]}]
rollouts:
  blue_green:
    steps: [{scale: 50%}, {shift: 10%}, {hold: 1s}, {scale: 100%}, {shift: 100%}, {retire: {after: 1s}}]
deployment_groups:
  production: {rollout: blue_green}
"""

TASK = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": CONTAINER,
            "portMappings": [{"containerPort": PORT}],
            "environment": [{"name": "COMMIT", "value": "{{ commit.id }}"}],
        }
    ],
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def commit(penstock: Penstock, files: dict[str, str]) -> str:
    if not (penstock.here / ".git").exists():
        new_repository(penstock.here)
    for name, text in files.items():
        path: Path = penstock.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return penstock.commit()


def upload(cloud: Cloud, head: str, version: int) -> None:
    cloud.client("s3").put_object(Bucket="acme-functions", Key=f"{head}.zip", Body=archive(greeting(version)))


def test_a_function_is_published_from_the_pinned_object_and_its_traffic_moves_and_goes_back(
    penstock: Penstock,
    aws: Cloud,  # noqa: F811
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="acme-functions", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="acme-functions", VersioningConfiguration={"Status": "Enabled"})
    make_function(aws, "resize-production", greeting(1))
    aws.client("lambda").create_alias(FunctionName="resize-production", Name="live", FunctionVersion="1")
    head = commit(penstock, {"penstock.yaml": FUNCTION})
    upload(aws, head, 2)
    said = penstock("deploy")
    assert said.status == exits.FINE, said.out + said.err
    assert shares(aws, "resize-production", "live", 20) == {"2": 20}
    changes = aws.calls(mutating=True, service="lambda")
    assert [call.operation for call in changes] == ["UpdateFunctionCode", "PublishVersion", *["UpdateAlias"] * 3]
    assert changes[0].params["S3ObjectVersion"]
    (deployment,) = penstock("--output", "json", "list").json
    said = penstock("rollback", deployment["id"])
    assert said.status == exits.FINE, said.out + said.err
    assert shares(aws, "resize-production", "live", 20) == {"1": 20}


def test_a_service_is_replaced_by_tasks_of_the_pinned_image(
    penstock: Penstock,
    aws: Cloud,  # noqa: F811
    registry: Registry,
) -> None:
    world = EcsWorld(aws, draining=10)
    world.serve(controller="EXTERNAL", desired=2)
    before = {each["id"] for each in world.task_sets()}
    words = {
        "REGISTRY": registry.address,
        "CLUSTER": CLUSTER,
        "SERVICE": SERVICE,
        "CONTAINER": CONTAINER,
        "PORT": str(PORT),
        "LISTENER": world.listener,
        "TESTED": world.test_listener,
    }
    text = SERVED
    for word, value in words.items():
        text = text.replace(word, value)
    head = commit(penstock, {"penstock.yaml": text, "ecs/task.json": json.dumps(TASK)})
    digest = registry.push("api", head)
    said = penstock("deploy")
    assert said.status == exits.FINE, said.out + said.err
    (task_set,) = [each for each in world.task_sets() if each["status"] == "PRIMARY"]
    assert task_set["id"] not in before
    made = world.ecs.describe_task_definition(taskDefinition=task_set["taskDefinition"])["taskDefinition"]
    (container,) = made["containerDefinitions"]
    assert container["image"] == f"{registry.address}/api@{digest}"
    assert container["environment"] == [{"name": "COMMIT", "value": head}]
    with urllib.request.urlopen(f"http://127.0.0.1:{world.open(world.listener)}/", timeout=30) as answer:
        assert answer.status == 200
    scales = [
        call.params["scale"]["value"] for call in aws.calls(mutating=True, service="ecs") if "scale" in call.params
    ]
    assert scales == [50.0, 100.0]
    assert not {each["id"] for each in world.task_sets() if each["status"] != "DRAINING"} & before
