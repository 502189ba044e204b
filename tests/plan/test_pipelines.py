"""The shipped pipelines of Lambda and ECS, the compiled programs, and the hooks that may be written say the same."""

from typing import Any

import pytest

from runner import resources, schema, yaml
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.manifest import GroupSettings
from runner.model.program import TargetSpec, TargetState
from runner.model.services import EcsSpec, EcsState
from runner.plan.programs import compile_program
from runner.render.rollouts import predefined

FUNCTION = LambdaSpec(function="f", alias="a", current_version="1", target_version="2")
SERVICE = EcsSpec(cluster="c", service="s", task_definition="t", container="w", port=80)
ALIAS = LambdaState(function="f", alias="a", current_version="1")
TASKS = EcsState(cluster="c", service="s", controller="EXTERNAL")

OURS = {"Publish", "Scale", "Check", "Terminate"}  # what CodeDeploy has no event for


def events_of(file: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = yaml.read(resources.read("pipelines", file), file).data["lifecycle_events"]
    return events


@pytest.mark.parametrize(
    ("file", "spec", "state"), [("lambda.yaml", FUNCTION, ALIAS), ("ecs-blue-green.yaml", SERVICE, TASKS)]
)
def test_every_predefined_configuration_has_the_events_of_the_pipeline_in_order(
    file: str, spec: TargetSpec, state: TargetState
) -> None:
    expected = [event["name"] for event in events_of(file)]
    rollouts = predefined("Lambda" if file == "lambda.yaml" else "ECS")
    assert len(rollouts) == (9 if file == "lambda.yaml" else 5)
    for rollout in rollouts.values():
        program = compile_program(GroupSettings(name="g", rollout=rollout), spec, state, restoring=False)
        assert [event for event in program.events if event not in OURS] == expected


@pytest.mark.parametrize(
    ("file", "appspec", "form"),
    [("lambda.yaml", "appspec-lambda", "function"), ("ecs-blue-green.yaml", "appspec-ecs", "service")],
)
def test_the_hooks_that_may_be_written_are_the_hookable_events(file: str, appspec: str, form: str) -> None:
    hookable = [event["name"] for event in events_of(file) if event["hookable"]]
    assert list(schema.load(appspec)["$defs"]["hook"]["properties"]) == hookable
    in_manifest = schema.load("manifest")["$defs"][form]["properties"]["hooks"]["properties"]
    assert list(in_manifest) == hookable
