"""AppSpecs of Lambda and ECS and task definitions, whatever is in them: read, or a list of mistakes."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import InvalidFiles
from runner.model.services import ServiceSettings
from runner.render.task_definition import render
from runner.render.traffic_appspec import parse_ecs, parse_lambda, platform_of

SERVICE = ServiceSettings(cluster="c", name="s")
NAMES = {"commit": {"id": "1"}, "vars": {"memory": 512}}
FUNCTION: dict[str, Any] = {
    "version": 0.0,
    "Resources": [
        {
            "f": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Name": "f", "Alias": "a", "CurrentVersion": "1", "TargetVersion": 2},
            }
        }
    ],
    "Hooks": [{"BeforeAllowTraffic": "check"}],
}
TASKS: dict[str, Any] = {
    "version": 0.0,
    "Resources": [
        {
            "TargetService": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "TaskDefinition": "api:1",
                    "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": "80"},
                    "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1}],
                    "NetworkConfiguration": {
                        "AwsvpcConfiguration": {"Subnets": ["s"], "SecurityGroups": [], "AssignPublicIp": "ENABLED"}
                    },
                },
            }
        }
    ],
    "Hooks": [{"AfterInstall": "check"}],
}
DEFINITION: dict[str, Any] = {
    "family": "api",
    "cpu": "256",
    "containerDefinitions": [
        {
            "name": "web",
            "memory": "{{ vars.memory }}",
            "portMappings": [{"containerPort": 80}],
            "dockerLabels": {"a": "b"},
        }
    ],
}

ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["", "1", "web", "{{ vars.memory }}", "{{ x", "AWS::ECS::Service", "a b"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["Type", "type", "Name", "name", "Base", "f", "image", "value"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


def with_something_else(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = with_something_else(data[path[0]], path[1:], value)
    return copy


def is_read_or_explained(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except InvalidFiles as error:
        return bool(error.mistakes) and all(each.message and each.line >= 0 for each in error.mistakes)
    return True


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_document_with_anything_anywhere_is_read_or_its_mistakes_are_named(data: st.DataObject) -> None:
    whole, read = data.draw(
        st.sampled_from(
            [
                (FUNCTION, lambda text: parse_lambda(text, "a.json")),
                (TASKS, lambda text: parse_ecs(text, "a.json", SERVICE)),
                (DEFINITION, lambda text: render(text, "t.json", NAMES, "web", "image")),
            ]
        )
    )
    assert is_read_or_explained(read, json.dumps(whole))
    changed = with_something_else(whole, data.draw(st.sampled_from(places(whole))), data.draw(ANYTHING))
    text = json.dumps(changed)
    assert is_read_or_explained(read, text)
    assert platform_of(text, "a.json") in ("Server", "Lambda", "ECS")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_or_explained(text: str) -> None:
    for read in (
        lambda text: parse_lambda(text, "a"),
        lambda text: parse_ecs(text, "a", SERVICE),
        lambda text: render(text, "t", NAMES),
    ):
        assert is_read_or_explained(read, text)
