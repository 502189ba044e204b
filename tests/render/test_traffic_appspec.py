"""AppSpec files of Lambda functions and ECS services: the forms that the user guide shows, and every mistake."""

import json

import pytest

from runner.errors import InvalidFiles
from runner.model.functions import LambdaSpec
from runner.model.services import EcsSpec, Route, ServiceSettings
from runner.render.traffic_appspec import parse_ecs, parse_lambda, platform_of

LAMBDA = """\
version: 0.0
Resources:
  - resize:
      Type: AWS::Lambda::Function
      Properties:
        Name: "resize"
        Alias: "live"
        CurrentVersion: "1"
        TargetVersion: "2"
Hooks:
  - BeforeAllowTraffic: "check-before"
  - AfterAllowTraffic: "arn:aws:lambda:eu-west-1:111122223333:function:check-after"
"""

ECS = """\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:eu-west-1:111122223333:task-definition/api:7"
        LoadBalancerInfo:
          ContainerName: "web"
          ContainerPort: 8080
        PlatformVersion: "LATEST"
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: ["subnet-1", "subnet-2"]
            SecurityGroups: ["sg-1"]
            AssignPublicIp: "ENABLED"
        CapacityProviderStrategy:
          - Base: 1
            CapacityProvider: "FARGATE_SPOT"
            Weight: 2
Hooks:
  - BeforeInstall: "one"
  - AfterInstall: "two"
  - AfterAllowTestTraffic: "three"
  - BeforeAllowTraffic: "four"
  - AfterAllowTraffic: "five"
"""

SERVICE = ServiceSettings(cluster="main", name="api", routes=(Route(target_groups=("blue", "green")),))
LEAST = """\
version: 0.0
Resources: [{TargetService: {Type: AWS::ECS::Service, Properties: {TaskDefinition: api, LoadBalancerInfo: INFO}}}]
""".replace("INFO", "{ContainerName: web, ContainerPort: 80}")


def mistakes_of(text: str | bytes, platform: str = "Lambda") -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        parse_lambda(text, "a.yaml") if platform == "Lambda" else parse_ecs(text, "a.yaml", SERVICE)
    assert caught.value.code == "InvalidRevisionException"
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_functions_appspec_is_read_whole() -> None:
    assert parse_lambda(LAMBDA, "appspec.yaml") == LambdaSpec(
        function="resize",
        alias="live",
        current_version="1",
        target_version="2",
        hooks={
            "BeforeAllowTraffic": "check-before",
            "AfterAllowTraffic": "arn:aws:lambda:eu-west-1:111122223333:function:check-after",
        },
    )


def test_a_services_appspec_is_read_whole_in_the_words_of_the_ecs_api() -> None:
    assert parse_ecs(ECS, "appspec.yaml", SERVICE) == EcsSpec(
        cluster="main",
        service="api",
        task_definition="arn:aws:ecs:eu-west-1:111122223333:task-definition/api:7",
        container="web",
        port=8080,
        platform_version="LATEST",
        network={
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "ENABLED",
            }
        },
        capacity_providers=({"base": 1, "capacityProvider": "FARGATE_SPOT", "weight": 2},),
        routes=SERVICE.routes,
        hooks={
            "BeforeInstall": "one",
            "AfterInstall": "two",
            "AfterAllowTestTraffic": "three",
            "BeforeAllowTraffic": "four",
            "AfterAllowTraffic": "five",
        },
    )


def test_what_an_ecs_appspec_leaves_out_is_as_the_service_has_it() -> None:
    spec = parse_ecs(LEAST, "a.yaml", SERVICE)
    assert (spec.task_definition, spec.platform_version, spec.network) == ("api", None, None)
    assert (spec.capacity_providers, spec.hooks) == ((), {})


@pytest.mark.parametrize("pretty", [None, 2, "\t"])
def test_json_means_the_same_as_yaml(pretty: int | str | None) -> None:
    from runner import yaml

    as_json = json.dumps(yaml.read(LAMBDA, "").data, indent=pretty)
    assert parse_lambda(as_json, "appspec.json") == parse_lambda(LAMBDA, "appspec.yaml")
    as_json = json.dumps(yaml.read(ECS, "").data, indent=pretty)
    assert parse_ecs(as_json.encode(), "appspec.json", SERVICE) == parse_ecs(ECS, "appspec.yaml", SERVICE)


def test_resources_and_hooks_may_be_spelled_small() -> None:
    small = LAMBDA.replace("Resources:", "resources:").replace("Hooks:", "hooks:")
    assert parse_lambda(small, "a.yaml") == parse_lambda(LAMBDA, "a.yaml")
    wrong = small.replace("TargetVersion", "TargetVersoin")
    assert mistakes_of(wrong) == [
        "a.yaml:5 resources[0].resize.Properties: TargetVersion is missing; "
        'expected the number of a published version, such as "2"',
        "a.yaml:9 resources[0].resize.Properties.TargetVersoin: unknown key; did you mean TargetVersion?",
    ]


def test_keys_may_be_spelled_small_as_the_aws_cli_takes_them() -> None:
    def small(data: object) -> object:
        if isinstance(data, dict):
            return {key[0].lower() + key[1:]: small(value) for key, value in data.items()}
        return [small(each) for each in data] if isinstance(data, list) else data

    from runner import yaml

    for text, platform in ((ECS, "ECS"), (LAMBDA, "Lambda")):
        smaller = json.dumps(small(yaml.read(text, "").data))
        assert "TaskDefinition" not in smaller and "Alias" not in smaller
        assert platform_of(smaller, "a.json") == platform
        if platform == "ECS":
            assert parse_ecs(smaller, "a.json", SERVICE) == parse_ecs(text, "a.yaml", SERVICE)
        else:
            assert parse_lambda(smaller, "a.json") == parse_lambda(text, "a.yaml")


def test_mistakes_are_named_as_the_file_spells_its_keys() -> None:
    text = LAMBDA.replace("Type:", "type:").replace("Properties:", "properties:").replace("Alias:", "alias:")
    assert mistakes_of(text.replace('"live"', '"7"')) == [
        "a.yaml:7 Resources[0].resize.properties.alias: expected the name of an alias: 1 to 128 of A-Z a-z 0-9 _ -, "
        'not only digits, not "7"'
    ]
    assert mistakes_of(text.replace("        Name:", "        name: x\n        Name:")) == [
        "a.yaml:7 Resources[0].resize.properties.Name: stands there as name too; leave out one of the two"
    ]


def test_the_name_of_a_resource_is_the_users_own() -> None:
    assert parse_lambda(LAMBDA.replace("  - resize:", "  - type:"), "a.yaml") == parse_lambda(LAMBDA, "a.yaml")


@pytest.mark.parametrize("version", ["0.0", "0", '"0.0"'])
def test_a_version_is_zero_however_it_is_written(version: str) -> None:
    assert parse_lambda(LAMBDA.replace("version: 0.0", f"version: {version}"), "a.yaml").target_version == "2"


def test_versions_without_quotes_are_read_as_they_are_written() -> None:
    spec = parse_lambda(LAMBDA.replace('"1"', "1").replace('"2"', "12"), "a.yaml")
    assert (spec.current_version, spec.target_version) == ("1", "12")


def test_a_file_may_have_no_hooks() -> None:
    for none in ("", "Hooks:\n", "Hooks: []\n"):
        assert parse_lambda(LAMBDA[: LAMBDA.index("Hooks")] + none, "a.yaml").hooks == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version: 0.0\n", "", "a.yaml:1: version is missing; expected 0.0"),
        ("version: 0.0", "version: 1", "a.yaml:1 version: expected 0.0, not the number 1"),
        ("version: 0.0", "version: false", "a.yaml:1 version: expected 0.0, not false"),
        ("Type: AWS::Lambda", "Type: AWS::Lamda", "a.yaml:4 Resources[0].resize.Type: expected AWS::Lambda::Function, "
         'not "AWS::Lamda::Function"'),
        ('"live"', '"7"', "a.yaml:7 Resources[0].resize.Properties.Alias: expected the name of an alias: 1 to 128 of "
         'A-Z a-z 0-9 _ -, not only digits, not "7"'),
        ('"2"', "$LATEST", "a.yaml:9 Resources[0].resize.Properties.TargetVersion: expected the number of a published "
         'version, such as "2", not "$LATEST"'),
        ('"2"', "2.0", "a.yaml:9 Resources[0].resize.Properties.TargetVersion: expected the number of a published "
         "version, not the number 2.0"),
        ("BeforeAllowTraffic", "BeforeAllowTrafic", "a.yaml:11 Hooks[0].BeforeAllowTrafic: unknown key; did you mean "
         "BeforeAllowTraffic?"),
        ("BeforeAllowTraffic", "BeforeInstall", "a.yaml:11 Hooks[0].BeforeInstall: unknown key; known here: "
         "BeforeAllowTraffic, AfterAllowTraffic"),
        ("AfterAllowTraffic", "BeforeAllowTraffic", "a.yaml:12 Hooks[1].BeforeAllowTraffic: appears twice; an event has "
         "one function"),
        ('"check-before"', "", "a.yaml:11 Hooks[0].BeforeAllowTraffic: expected the name or ARN of a function, "
         "not nothing"),
        ("version: 0.0", "version: 0.0\nos: linux", "a.yaml:2 os: unknown key; known here: version, Resources, Hooks"),
        ("version: 0.0", "version: 0.0\nresources: []", "a.yaml:3 Resources: stands there as resources too; leave out "
         "one of the two"),
        ("  - resize:", "  - {}\n  - resize:", "a.yaml:2 Resources: holds 2 entries; at most 1 are allowed"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_functions_appspec_is_named(old: str, new: str, expected: str) -> None:
    assert old in LAMBDA
    assert expected in mistakes_of(LAMBDA.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("TaskDefinition: api,", "", "a.yaml:2 Resources[0].TargetService.Properties: TaskDefinition is missing; expected "
         "the ARN of a task definition, or FAMILY:REVISION"),
        ("api", '"<TASK_DEFINITION>"', "a.yaml:2 Resources[0].TargetService.Properties.TaskDefinition: expected the ARN "
         'of a task definition, or FAMILY:REVISION, not "<TASK_DEFINITION>"'),
        ("80", "0", "a.yaml:2 Resources[0].TargetService.Properties.LoadBalancerInfo.ContainerPort: expected a port from "
         "1 to 65535, not the number 0"),
        ("80", '"65536"', "a.yaml:2 Resources[0].TargetService.Properties.LoadBalancerInfo.ContainerPort: expected a "
         "port from 1 to 65535"),
        ("api,", "api, NetworkConfiguration: {AwsvpcConfiguration: {Subnets: [a], SecurityGroups: [b]}},",
         "a.yaml:2 Resources[0].TargetService.Properties.NetworkConfiguration.AwsvpcConfiguration: AssignPublicIp is "
         "missing; expected ENABLED or DISABLED"),
        ("api,", "api, CapacityProviderStrategy: [{Weight: 1}],", "a.yaml:2 Resources[0].TargetService.Properties."
         "CapacityProviderStrategy[0]: CapacityProvider is missing"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_services_appspec_is_named(old: str, new: str, expected: str) -> None:
    assert old in LEAST
    assert mistakes_of(LEAST.replace(old, new, 1), "ECS") == [expected]


def test_hooks_as_servers_have_them_are_refused_with_the_form_that_is_right() -> None:
    text = LAMBDA[: LAMBDA.index("Hooks")] + "Hooks:\n  BeforeAllowTraffic:\n    - location: x\n"
    [mistake] = mistakes_of(text)
    assert mistake == (
        "a.yaml:10 Hooks: expected a list of lifecycle events, each with one function: "
        "- BeforeAllowTraffic: FUNCTION, not a mapping"
    )


def test_what_is_no_appspec_at_all_is_one_mistake() -> None:
    assert mistakes_of("") == ["a.yaml:1: is empty; an AppSpec begins with `version: 0.0`"]
    assert mistakes_of("[]") == ["a.yaml:1: expected a mapping, not an empty list"]
    assert mistakes_of(b"version: 0.0\n\xff") == ["a.yaml:2: is not UTF-8 text"]
    assert mistakes_of("{") == ["a.yaml:1: not valid YAML: did not find expected node content"]
    assert mistakes_of("version: 0.0") == [
        "a.yaml:1: Resources is missing; expected a list of one function: "
        "- NAME: {Type: AWS::Lambda::Function, Properties: ...}"
    ]


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        (LAMBDA, "Lambda"),
        (ECS, "ECS"),
        (LEAST.replace("Resources", "resources"), "ECS"),
        ("version: 0.0\nos: linux\n", "Server"),
        ("[", "Server"),
        ("Resources: [{x: {Type: AWS::S3::Bucket}}]", "Lambda"),
    ],
)
def test_a_file_says_for_which_platform_it_is(text: str, platform: str) -> None:
    assert platform_of(text, "a.yaml") == platform
