"""The runner killed with -9 right after each single call to AWS that changes something: a service's blue/green rollout.

The manifest's form: a task definition is registered, a task set made, a test listener and then the production listener
moved, the primary task set changed, the old one deleted. Requests go to the production listener all the while, and none
of them fails.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from acceptance_site import Checkout, until_ended
from serving import serving
from support.cloud import Call, Cloud
from support.ecs_world import CLUSTER, CONTAINER, IMAGE, PORT, SERVICE, TASK_DEFINITION, EcsWorld
from support.traffic import Load

REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"

MANIFEST = """\
penstock: v1
application: api
platform: ECS
aws: {{region: eu-west-1}}
revision:
  image: {{repository: {registry}/api, tag: "{{{{ commit.id }}}}", pin: digest}}
service:
  cluster: {cluster}
  name: {service}
  task_definition: ecs/task.json
  container: {{name: {container}, port: {port}}}
  routes:
    - {{listener: "{listener}", test_listener: "{test_listener}", target_groups: [blue, green]}}
rollouts:
  blue_green:
    steps:
      - scale: 100%
      - shift: 20%
      - hold: {{for: 1s}}
      - shift: 100%
      - retire: {{after: 1s}}
deployment_groups:
  live: {{rollout: blue_green}}
"""


class Api:
    """The service, and a commit that deploys another image."""

    def __init__(self, aws: Cloud, folder: Path) -> None:
        self.world = EcsWorld(aws)
        self.world.serve("EXTERNAL", desired=2)
        self.original = self.world.task_sets()[0]["id"]
        manifest = MANIFEST.format(
            registry=REGISTRY,
            cluster=CLUSTER,
            service=SERVICE,
            container=CONTAINER,
            port=PORT,
            listener=self.world.listener,
            test_listener=self.world.test_listener,
        )
        files = {"penstock.yaml": manifest, "ecs/task.json": json.dumps(TASK_DEFINITION)}
        self.checkout = Checkout(folder / "api", files)
        ecr = aws.client("ecr")
        ecr.create_repository(repositoryName="api")
        ecr.put_image(repositoryName="api", imageTag=self.checkout.commit, imageManifest=json.dumps(IMAGE))

    def left(self) -> dict[str, Any]:
        """What the deployment has made of the cloud."""
        sets = self.world.task_sets()
        definitions = self.world.ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"]
        return {
            "task sets": [(each["status"], each["taskDefinition"].rsplit("/")[-1]) for each in sets],
            "the original is among them": self.original in [each["id"] for each in sets],
            "task definitions": len(definitions),
            "production": self._weights(self.world.listener),
            "test": self._weights(self.world.test_listener),
        }

    def _weights(self, listener: str) -> dict[str, int]:
        told = self.world.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]["DefaultActions"][0]
        groups = told["ForwardConfig"]["TargetGroups"]
        return {each["TargetGroupArn"].split("/")[1]: each["Weight"] for each in groups if each["Weight"]}


def effects(calls: list[Call]) -> list[str]:
    """What each call did, in order. One that is repeated and says the same changes nothing."""
    done = [_effect(call) for call in calls if call.carried_out and call.status < 400]
    return [each for index, each in enumerate(done) if each not in done[:index][-1:]]


def _effect(call: Call) -> str:
    if call.operation != "ModifyListener":
        return call.operation
    groups = call.params["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    green = next(each["Weight"] for each in groups if "/green/" in each["TargetGroupArn"])
    return f"{call.params['ListenerArn'][-4:]} green {green}"


MUTATIONS = 8  # register, away from green, create, test listener, two moves, primary, delete


@pytest.mark.parametrize(
    "kill_after", range(MUTATIONS + 1), ids=lambda number: f"after-{number}" if number else "never"
)
def test_a_rollout_that_is_killed_after_any_call_ends_as_one_that_is_not(
    aws: Cloud, tmp_path: Path, kill_after: int
) -> None:
    api = Api(aws, tmp_path)
    config = tmp_path / "penstock.toml"
    config.write_text("")
    with serving(config, tmp_path / "state", aws.environ) as server, Load(api.world.open(api.world.listener)) as load:
        aws.forget()
        if kill_after:
            aws.kill_after(server.pid, kill_after)
        (made,) = api.checkout.deploy(config, tmp_path / "state", aws.environ)
        deployment = until_ended(server, made, killed=lambda: bool(aws.killed()) if kill_after else False)
        load.wait_for(20)
    assert deployment["status"] == "Succeeded", deployment
    production, test = api.world.listener[-4:], api.world.test_listener[-4:]
    done = effects(aws.calls(mutating=True))
    assert done == [
        "RegisterTaskDefinition",
        f"{production} green 0",
        "CreateTaskSet",
        f"{test} green 100",
        f"{production} green 20",
        f"{production} green 100",
        "UpdateServicePrimaryTaskSet",
        "DeleteTaskSet",
    ], done
    api.world.until(lambda: len(api.world.task_sets()) == 1)
    assert api.left() == {
        "task sets": [("PRIMARY", "web:2")],
        "the original is among them": False,
        "task definitions": 2,
        "production": {"green": 100},
        "test": {"green": 100},
    }
    assert load.failures == []
    assert len(aws.killed()) == (1 if kill_after else 0)
