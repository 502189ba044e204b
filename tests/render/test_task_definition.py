"""Task definitions: from the file in a commit to what RegisterTaskDefinition takes."""

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from manifest_cases import CONTEXT, ECS

from runner.errors import InvalidFiles
from runner.render.manifest import read
from runner.render.task_definition import render

NAMES = {"commit": {"id": "3f2a", "short": "3f"}, "vars": {"memory": 512, "level": "info"}, "group": "production"}
TASK: dict[str, Any] = {
    "family": "api-{{ group }}",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "requiresCompatibilities": ["FARGATE"],
    "containerDefinitions": [
        {
            "name": "api",
            "image": "ignored",
            "essential": True,
            "memory": "{{ vars.memory }}",
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "COMMIT", "value": "{{ commit.id }}"}],
            "dockerLabels": {"level": "{{ vars.level }}"},
        },
        {"name": "proxy", "image": "envoy:1"},
    ],
}
IMAGE = f"registry.example.com/api@sha256:{'0' * 64}"


def written(**changes: Any) -> str:
    return json.dumps({**TASK, **changes}, indent=2)


def mistakes_of(text: str | bytes, container: str | None = "api") -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        render(text, "task.json", NAMES, container, IMAGE)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_values_are_rendered_and_the_image_is_put_into_its_container() -> None:
    made = render(written(), "task.json", NAMES, "api", IMAGE)
    api, proxy = made["containerDefinitions"]
    assert made["family"] == "api-production"
    assert (api["image"], proxy["image"]) == (IMAGE, "envoy:1")
    assert api["environment"] == [{"name": "COMMIT", "value": "3f2a"}]
    assert api["memory"] == 512  # a number where the API wants one
    assert made["memory"] == "512"  # and text where it wants text
    assert api["dockerLabels"] == {"level": "info"}


def test_what_is_made_is_what_the_api_takes() -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    report = ParamValidator().validate(render(written(), "task.json", NAMES, "api", IMAGE), shape)
    assert not report.has_errors(), report.generate_report()


def test_yaml_means_the_same_as_json() -> None:
    text = "family: api\ncontainerDefinitions:\n  - {name: api, memory: 512}\n"
    assert render(text, "task.yaml", NAMES, "api", IMAGE) == {
        "family": "api",
        "containerDefinitions": [{"name": "api", "memory": 512, "image": IMAGE}],
    }


def test_json_writes_an_emoji_as_two_escapes() -> None:
    text = json.dumps(
        {"family": "a", "containerDefinitions": [{"name": "api", "dockerLabels": {"a": "\U0001f600 \\ud83d"}}]}
    )
    assert "\\ud83d\\ude00" in text
    (api,) = render(text, "task.json", NAMES, "api", IMAGE)["containerDefinitions"]
    assert api["dockerLabels"] == {"a": "\U0001f600 \\ud83d"}


def test_without_an_image_every_container_keeps_its_own() -> None:
    made = render(written(), "task.json", NAMES, "api", None)
    assert [each["image"] for each in made["containerDefinitions"]] == ["ignored", "envoy:1"]


def test_what_describe_task_definition_adds_is_left_out() -> None:
    more = {"taskDefinitionArn": "arn", "revision": 7, "status": "ACTIVE", "registeredAt": 1.5, "compatibilities": []}
    assert render(written(**more), "task.json", NAMES, "api", IMAGE) == render(written(), "t", NAMES, "api", IMAGE)


def test_the_names_of_a_manifests_group_are_known() -> None:
    (manifest,) = read({"penstock.yaml": ECS}, CONTEXT)
    service = manifest.groups[1].service
    assert service is not None
    text = '{"family": "{{ application }}-{{ group }}", "containerDefinitions": [{"name": "api", "image": "{{ branch }}"}]}'
    made = render(text, "task.json", service.names)
    assert made == {"family": "api-production", "containerDefinitions": [{"name": "api", "image": "main"}]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"cpu"', '"cpus"', "task.json:4 cpus: unknown key; did you mean cpu?"),
        ('"256"', "256", "task.json:4 cpu: expected text, not the number 256; put it in quotes"),
        ('"family"', '"famly"', "task.json:2 famly: unknown key; did you mean family?"),
        ("8080", '"8080"', 'task.json:17 containerDefinitions[0].portMappings[0].containerPort: expected a whole number, '
         'not "8080"'),
        ("true", "1", "task.json:13 containerDefinitions[0].essential: expected true or false, not the number 1"),
        ("{{ vars.memory }}", "{{ vars.level }}", "task.json:14 containerDefinitions[0].memory: expected a whole number, "
         'not "info"'),
        ("{{ vars.memory }}", "{{ vars.memry }}", "task.json:14 containerDefinitions[0].memory: vars.memry is not "
         "defined; did you mean vars.memory?"),
        ("{{ commit.id }}", "{{ env.TOKEN }}", "task.json:23 containerDefinitions[0].environment[0].value: env is not "
         "defined; names are commit, branch, tag, repository, application, group and vars; hand others on as vars"),
        ("{{ commit.id }}", "{% if x %}", "task.json:23 containerDefinitions[0].environment[0].value: statements "
         "({% ... %}) are not supported, only expressions ({{ ... }})"),
        ('"name": "api"', '"name": "apy"', "task.json:9 containerDefinitions: there is no container api; did you mean "
         "apy?"),
        ('"name": "proxy"', '"name": "api"', "task.json:31 containerDefinitions[1].name: there are two containers api"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(old: str, new: str, expected: str) -> None:
    assert old in written()
    assert expected in mistakes_of(written().replace(old, new, 1))


def test_what_is_no_task_definition_is_one_mistake() -> None:
    ending = "a task definition has a family and containerDefinitions"
    assert mistakes_of("") == [f"task.json:1: is empty; {ending}"]
    assert mistakes_of("[1]") == [f"task.json:1: expected a mapping, not a list; {ending}"]
    assert mistakes_of(b"{\xff") == ["task.json:1: is not UTF-8 text"]
    assert mistakes_of("{", None) == ["task.json:1: not valid YAML: did not find expected node content"]
    assert mistakes_of('{"family": "a", "containerDefinitions": []}', None) == [
        "task.json:1 containerDefinitions: holds no container"
    ]
    assert mistakes_of('{"family": "a", "containerDefinitions": [{}]}', None) == [
        "task.json:1 containerDefinitions[0]: name is missing"
    ]
    assert mistakes_of("{}", None) == [
        "task.json:1: containerDefinitions is missing",
        "task.json:1: family is missing",
    ]
