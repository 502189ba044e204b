"""Manifests of Lambda functions and ECS services: from text to values."""

import datetime as dt

import pytest
from manifest_cases import COMMIT, CONTEXT, ECS, ECS_WITHOUT_VARS, LAMBDA, LISTENERS, SMALL, mistakes_of

from runner.errors import InvalidFiles
from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck, Alarms, HttpCheck
from runner.model.functions import FunctionSettings
from runner.model.manifest import Manifest
from runner.model.revision import ImageLocation, S3Location
from runner.model.rollout import CheckStep, HoldStep, RetireStep, Rollout, ScaleStep, ShiftStep
from runner.model.services import Route, ServiceSettings
from runner.render.manifest import check, read

MINUTE = dt.timedelta(minutes=1)


def read_one(text: str) -> Manifest:
    (manifest,) = read({"penstock.yaml": text}, CONTEXT)
    return manifest


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_the_worked_example_of_lambda_is_read_as_it_stands() -> None:
    manifest = read_one(LAMBDA)
    assert manifest.platform == "Lambda"
    assert manifest.revision == S3Location(
        bucket="acme-functions", key=f"resize/{COMMIT.id}.zip", bundle_type="zip", pin="version"
    )
    staging, production = manifest.groups
    assert {each.platform for each in manifest.groups} == {"Lambda"}
    assert staging.function == FunctionSettings(name="resize-staging", alias="live")
    assert production.function == FunctionSettings(name="resize-production", alias="live")
    assert staging.rollout == Rollout(name="CodeDeployDefault.LambdaAllAtOnce", steps=(ShiftStep(percent=100),))
    assert staging.checks == {}
    assert production.rollout == Rollout(
        name="ramp",
        steps=(
            ShiftStep(percent=5),
            HoldStep(duration=10 * MINUTE, checks=("errors",)),
            ShiftStep(percent=20, every=2 * MINUTE, checks=("errors",)),
        ),
    )
    assert production.checks == {"errors": AlarmCheck(name="resize-production-errors")}
    assert production.rollback_on == ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM")
    assert (production.alarms, production.place, production.tags) == (None, AwsPlace(), {})


def test_the_worked_example_of_ecs_lacks_nothing_but_the_values_of_its_variables() -> None:
    mistakes = mistakes_of(ECS_WITHOUT_VARS)
    assert {mistake.split(": ", 1)[1].partition(" is not defined")[0] for mistake in mistakes} == {
        "vars.registry",
        "vars.listener",
        "vars.test_listener",
        "vars.host",
    }
    manifest = read_one(ECS)
    assert manifest.platform == "ECS"
    assert manifest.revision == ImageLocation(repository="registry.example.com/api", tag=COMMIT.id)
    staging, production = manifest.groups
    assert staging.rollout.name == "CodeDeployDefault.ECSAllAtOnce"
    assert staging.checks == {}
    assert production.rollout.steps == (
        ScaleStep(percent=100),
        CheckStep(checks=("contract",)),
        ShiftStep(percent=10),
        HoldStep(duration=15 * MINUTE, checks=("errors",)),
        ShiftStep(percent=100),
        RetireStep(after=60 * MINUTE, checks=("errors",)),
    )
    assert production.checks == {
        "contract": HttpCheck(url="https://api.example.com:9443/healthz", expect=200, timeout=10),
        "errors": AlarmCheck(name="api-production-5xx"),
    }
    assert production.rollback_on == (
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
        "DEPLOYMENT_STOP_ON_REQUEST",
    )


def test_a_service_keeps_the_names_that_its_task_definition_may_use_but_no_environment() -> None:
    staging, production = read_one(ECS).groups
    service = production.service
    assert service is not None
    assert service == ServiceSettings(
        cluster="production",
        name="api",
        routes=(
            Route(
                listener=f"{LISTENERS}-rule/app/p/1/1/1",
                test_listener=f"{LISTENERS}/app/t/1/1",
                target_groups=("api-blue", "api-green"),
            ),
        ),
        task_definition="ecs/task.json",
        container="api",
        port=8080,
        names=service.names,
    )
    assert service.names["vars"]["host"] == "api.example.com"
    assert (service.names["group"], service.names["application"]) == ("production", "api")
    assert service.names["commit"]["id"] == COMMIT.id
    assert "env" not in service.names
    assert staging.service is not None
    assert "host" not in staging.service.names["vars"]


def test_the_examples_are_right_where_no_commit_and_no_environment_is_at_hand() -> None:
    assert check({"penstock.yaml": LAMBDA}) == []
    assert (
        check({"penstock.yaml": changed(ECS, "registry: registry.example.com", "registry: '{{ env.REGISTRY }}'")}) == []
    )


def test_a_place_in_aws_is_inherited_key_by_key() -> None:
    text = changed(LAMBDA, "staging: {", "staging: {aws: {region: us-east-1}, vars: {account: '222233334444'}, ")
    top = 'vars: {account: "111122223333"}\naws: {region: eu-west-1, role: "arn:aws:iam::{{ vars.account }}:role/d"}\n'
    staging, production = read_one(text + top).groups
    assert staging.place == AwsPlace(region="us-east-1", role="arn:aws:iam::222233334444:role/d")
    assert production.place == AwsPlace(region="eu-west-1", role="arn:aws:iam::111122223333:role/d")


def test_alarms_of_a_group_watch_its_whole_deployment() -> None:
    text = changed(LAMBDA, "staging: {", "staging: {checks: [errors], ")
    staging, production = read_one(text).groups
    assert staging.alarms == Alarms(names=("resize-staging-errors",))
    assert (staging.checks, production.alarms) == ({}, None)


def test_servers_have_alarms_and_checks_while_they_hold() -> None:
    text = SMALL + (
        "    rollout: mine\n    checks: [errors]\nchecks: {errors: {cloudwatch_alarm: web-5xx}, up: {http: 'http://a/b'}}\n"
        "rollouts: {mine: {steps: [{batch: 1}, {hold: {for: 5m, checks: [errors, up]}}, {batch: 100%}]}}\n"
    )
    (group,) = read_one(text).groups
    assert group.alarms == Alarms(names=("web-5xx",))
    assert group.rollout.steps[1] == HoldStep(duration=5 * MINUTE, checks=("errors", "up"))
    assert set(group.checks) == {"errors", "up"}


def test_without_a_rollout_all_traffic_moves_at_once() -> None:
    groups = read_one(changed(LAMBDA, "{rollout: CodeDeployDefault.LambdaAllAtOnce}", "{}")).groups
    assert groups[0].rollout.name == "CodeDeployDefault.LambdaAllAtOnce"
    groups = read_one(changed(ECS, ", rollout: CodeDeployDefault.ECSAllAtOnce", "")).groups
    assert groups[0].rollout.name == "CodeDeployDefault.ECSAllAtOnce"


APPSPEC_OF_LAMBDA = "penstock: v1\napplication: a\nplatform: Lambda\ndeployment_groups: {all: {}}\n"
APPSPEC_OF_ECS = APPSPEC_OF_LAMBDA.replace("Lambda", "ECS") + "service: {cluster: c, name: s}\n"


@pytest.mark.parametrize("text", [APPSPEC_OF_LAMBDA, APPSPEC_OF_ECS])
def test_an_appspec_stands_in_for_a_function_or_a_task_definition(text: str) -> None:
    manifest = read_one(text + "appspec: deploy/appspec.yaml\n")
    assert (manifest.appspec, manifest.revision) == ("deploy/appspec.yaml", None)
    for key, kind in (("a.yaml", "YAML"), ("a.yml", "YAML"), ("a.json", "JSON")):
        assert read_one(f"{text}revision: {{s3: {{bucket: acme, key: {key}}}}}\n").revision == S3Location(
            bucket="acme", key=key, bundle_type=kind
        )


def test_a_service_without_a_load_balancer_needs_no_routes_and_no_port() -> None:
    text = APPSPEC_OF_ECS.replace("name: s", "name: s, task_definition: task.json, container: {name: worker}")
    (group,) = read_one(text).groups
    assert group.service is not None
    assert (group.service.container, group.service.port, group.service.routes) == ("worker", None, ())


def test_hooks_are_functions_by_event() -> None:
    hooks = "hooks: {BeforeAllowTraffic: check-before, AfterAllowTraffic: 'check-{{ group }}'}"
    (staging, _) = read_one(changed(LAMBDA, "alias: live", f"alias: live, {hooks}")).groups
    assert staging.function is not None
    assert staging.function.hooks == {"BeforeAllowTraffic": "check-before", "AfterAllowTraffic": "check-staging"}
    (staging, _) = read_one(changed(ECS, "name: api\n", "name: api\n  hooks: {AfterInstall: check}\n")).groups
    assert staging.service is not None
    assert staging.service.hooks == {"AfterInstall": "check"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("staging: {", "staging: {targets: {tags: {a: b}}, ", "penstock.yaml:17 deployment_groups.staging.targets: targets "
         "is for servers; this application runs on Lambda functions"),
        ("staging: {", "staging: {load_balancer: {haproxy: [a/b]}, ", "penstock.yaml:17 deployment_groups.staging."
         "load_balancer: load_balancer is for servers; this application runs on Lambda functions"),
        ("- shift: 5%", "- batch: 5%", "penstock.yaml:13 rollouts.ramp.steps[0].batch: batch is for servers; this "
         "application runs on Lambda functions"),
        ("- shift: 5%", "- scale: 5%", "penstock.yaml:13 rollouts.ramp.steps[0].scale: scale is for ECS services; this "
         "application runs on Lambda functions"),
        ("    steps:", "    max_failed: 1\n    steps:", "penstock.yaml:12 rollouts.ramp.max_failed: max_failed is for "
         "servers; this application runs on Lambda functions"),
        ("- shift: 5%", "- approve: {count: 2}", "penstock.yaml:13 rollouts.ramp.steps[0].approve: is not built yet in "
         "this version of Penstock; leave it out"),
        ("- shift: 5%", "- shift: 0%", 'penstock.yaml:13 rollouts.ramp.steps[0].shift: expected a part from "1%" to '
         '"100%", or {by: 10%, every: 2m}, not "0%"'),
        ("- shift: 5%", "- shift: 100%", "penstock.yaml:15 rollouts.ramp.steps[2].shift: all traffic has moved before it"),
        ("- shift: 5%", "- shift: {by: 5%}", "penstock.yaml:13 rollouts.ramp.steps[0].shift: every is missing; expected "
         "a duration such as 90s, 5m, 2h, 1d or 1h30m"),
        ("{by: 20%, every: 2m, checks: [errors]}", "20%", "penstock.yaml:15 rollouts.ramp.steps[2].shift: the last shift "
         "must move all traffic: write 100%, or {by: ..., every: ...}"),
        ("{by: 20%, every: 2m, checks: [errors]}", "5%\n      - shift: 100%", "penstock.yaml:15 rollouts.ramp.steps[2]."
         "shift: moves nothing: 5% have moved before it"),
        ("for: 10m, checks: [errors]", "for: 10m, checks: [erors]", "penstock.yaml:14 rollouts.ramp.steps[1].hold."
         "checks[0]: there is no check erors; did you mean errors?"),
        ("staging: {", "staging: {checks: [eror], ", "penstock.yaml:17 deployment_groups.staging.checks[0]: there is no "
         "check eror; did you mean errors?"),
        ("cloudwatch_alarm: ", "cloudwatch_alrm: ", "penstock.yaml:9 checks.errors.cloudwatch_alrm: unknown key; did you "
         "mean cloudwatch_alarm?"),
        ("{cloudwatch_alarm: ", "{timeout: 5s, cloudwatch_alarm: ", "penstock.yaml:9 checks.errors: http is missing; "
         "expected an http or https URL"),
        ('errors"}', 'errors", http: "http://a/b"}', "penstock.yaml:9 checks.errors: expected one check, either "
         "{cloudwatch_alarm: NAME} or {http: URL}"),
        ("{cloudwatch_alarm: \"resize-{{ group }}-errors\"}", "{timeout: 2m, http: 'http://a/'}", "penstock.yaml:9 checks."
         "errors.timeout: expected a duration from 1s to 60s"),
        ("production: {", "production: {checks: [up], ", "penstock.yaml:18 deployment_groups.production.checks[0]: there "
         "is no check up; known here: errors"),
        ("CodeDeployDefault.LambdaAllAtOnce", "CodeDeployDefault.ECSAllAtOnce", "penstock.yaml:17 deployment_groups."
         "staging.rollout: CodeDeployDefault.ECSAllAtOnce is a configuration for ECS services; this application runs on "
         "Lambda functions"),
        ("CodeDeployDefault.LambdaAllAtOnce", "LambdaAllAtOnce", "penstock.yaml:17 deployment_groups.staging.rollout: "
         "there is no rollout LambdaAllAtOnce; write the full name CodeDeployDefault.LambdaAllAtOnce"),
        ("pin: version", "pin: etag", "penstock.yaml:6 revision.s3.pin: Lambda takes a version of an object, and no ETag; "
         "write pin: version (the bucket needs versions)"),
        (".zip", ".tgz", "penstock.yaml:6 revision.s3.key: is of type tgz; the code of a function is of type zip"),
        ("function: {", "appspec: a.yaml\nfunction: {", "penstock.yaml:7 appspec: function says it all; leave out one of "
         "the two"),
        ("function: {", "service: {cluster: c, name: s}\nfunction: {", "penstock.yaml:7 service: service is for ECS "
         "services; this application runs on Lambda functions"),
        ("alias: live", "alias: '1'", "penstock.yaml:7 function.alias: expected the name of an alias: 1 to 128 of A-Z a-z "
         '0-9 _ -, not only digits, not "1"'),
        ("alias: live", "alias: live, hooks: {AllowTraffic: f}", "penstock.yaml:7 function.hooks.AllowTraffic: unknown "
         "key; did you mean AfterAllowTraffic?"),
        ("{{ group }}\", alias", "{{ grup }}\", alias", "penstock.yaml:7 function.name: grup is not defined; did you mean "
         "group?"),
    ],
)  # fmt: skip
def test_a_mistake_about_a_function_is_named(old: str, new: str, expected: str) -> None:
    assert mistakes_of(changed(LAMBDA, old, new)) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("- retire: {after: 1h, checks: [errors]}", "- shift: 50%", "penstock.yaml:22 rollouts.blue_green.steps[5].shift: "
         "all traffic has moved before it"),
        ("      - shift: 100%\n", "", "penstock.yaml:19 rollouts.blue_green.steps[2].shift: the last shift must move all "
         "traffic: write 100%, or {by: ..., every: ...}"),
        ("- scale: 100%", "- scale: 50%", "penstock.yaml:21 rollouts.blue_green.steps[4].shift: moves all traffic to 50% "
         "of the tasks; put {scale: 100%} before it"),
        ("- shift: 10%", "- scale: 100%", "penstock.yaml:19 rollouts.blue_green.steps[2].scale: starts nothing: 100% of "
         "the tasks run before it"),
        ("- scale: 100%\n      - check: [contract]\n      - shift: 10%", "- shift: 10%\n      - check: [contract]\n      "
         "- scale: 50%", "penstock.yaml:19 rollouts.blue_green.steps[2].scale: starts nothing: 100% of the tasks run "
         "before it"),
        ("- scale: 100%", "- retire: {after: 1h}", "penstock.yaml:17 rollouts.blue_green.steps[0].retire: must be the last "
         "step; the old version is gone after it"),
        ("after: 1h, checks", "checks", "penstock.yaml:22 rollouts.blue_green.steps[5].retire: after is missing; expected a "
         "duration such as 90s, 5m, 2h, 1d or 1h30m"),
        ("[api-blue, api-green]", "[api-blue]", "penstock.yaml:13 service.routes[0].target_groups: expected a list of two "
         "target groups, not a list"),
        ("[api-blue, api-green]", "[api, api]", "penstock.yaml:13 service.routes[0].target_groups: the same value stands "
         "here twice"),
        (", port: 8080", "", "penstock.yaml:11 service.container: port is missing; the routes lead to it"),
        ("  container: {name: api, port: 8080}\n", "", "penstock.yaml:7 service: container is missing; expected {name: "
         "..., port: ...}"),
        ("ecs/task.json", "../task.json", "penstock.yaml:10 service.task_definition: expected a relative path inside what "
         'is deployed, such as ecs/task.json, not "../task.json"'),
        (", pin: digest", ", pin: tag", 'penstock.yaml:6 revision.image.pin: expected digest, not "tag"'),
        ("image: {", "s3: {bucket: acme, key: a.zip}\n  image: {", "penstock.yaml:6 revision.s3: the task definition "
         "comes from the commit; give revision: {image: ...}, or leave it out"),
        ("production: {", "production: {checks: [contract], ", "penstock.yaml:28 deployment_groups.production.checks[0]: "
         "contract is an HTTP request; only alarms can watch a whole deployment: name it in a step"),
        ("registry.example.com", "registry.example.com:x y", "penstock.yaml:6 revision.image.repository: expected the "
         "name of an image without its tag, such as registry.example.com/shop/api, not \"registry.example.com:x y/api\" "
         "(from \"{{ vars.registry }}/api\")"),
    ],
)  # fmt: skip
def test_a_mistake_about_a_service_is_named(old: str, new: str, expected: str) -> None:
    assert mistakes_of(changed(ECS, old, new))[0] == expected


def test_a_revision_comes_from_one_place() -> None:
    text = SMALL + "revision: {image: {repository: a, tag: b}, s3: {bucket: acme, key: a.tgz}}\n"
    assert "penstock.yaml:7 revision: expected a mapping, either {s3: ...} or {image: ...}" in mistakes_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (APPSPEC_OF_LAMBDA, "penstock.yaml: names no function; give function: {name: ..., alias: ...}, or appspec: PATH"),
        (APPSPEC_OF_LAMBDA + "function: {name: f, alias: a}\n", "penstock.yaml:5 function: its code comes from an object "
         "in S3; give revision: {s3: {bucket: ..., key: ...}}"),
        (APPSPEC_OF_LAMBDA + "revision: {s3: {bucket: acme, key: a.zip}}\n", "penstock.yaml:5 revision.s3.key: is of type "
         "zip; an AppSpec is of type YAML or JSON"),
        (APPSPEC_OF_LAMBDA + "appspec: a\nrevision: {image: {repository: a, tag: b}}\n", "penstock.yaml:6 revision.image: "
         "image is for ECS services; this application runs on Lambda functions"),
        (APPSPEC_OF_LAMBDA.replace("Lambda", "ECS") + "appspec: a\n", "penstock.yaml: names no service; give service: "
         "{cluster: ..., name: ...}"),
        (APPSPEC_OF_ECS, "penstock.yaml:5 service: task_definition is missing; give its path, or appspec: PATH"),
        (APPSPEC_OF_ECS + "appspec: a\nrevision: {image: {repository: a, tag: b}}\n", "penstock.yaml:7 revision.image: an "
         "AppSpec says which image runs; give service.task_definition, or leave it out"),
        (APPSPEC_OF_ECS.replace("name: s", "name: s, container: {name: c}") + "appspec: a\n", "penstock.yaml:5 "
         "service.container: is said by the AppSpec, where there is no task_definition; leave it out"),
        (SMALL.replace("Server", "'{{ vars.p }}'") + "vars: {p: Lambda}\nappspec: a\n", "penstock.yaml:6 "
         "deployment_groups.production.targets: targets is for servers; this application runs on Lambda functions"),
        (SMALL + "rollouts: {mine: {steps: [{check: [a]}, {batch: 100%}]}}\n", "penstock.yaml:7 rollouts.mine.steps[0]"
         ".check: is not built yet in this version of Penstock; leave it out"),
        (SMALL + "revision: {image: {repository: a, tag: b}}\n", "penstock.yaml:7 revision.image: image is for ECS "
         "services; this application runs on servers"),
        (SMALL + "revision: {s3: {bucket: acme, key: a.yaml}}\n", "penstock.yaml:7 revision.s3.key: is of type YAML; a "
         "bundle for servers is of type tar, tgz or zip"),
        (SMALL + "aws: {region: Ireland}\n", "penstock.yaml:7 aws.region: expected a region such as eu-west-1, not "
         '"Ireland"'),
        (APPSPEC_OF_LAMBDA + "appspec: a\nrollouts: {mine: {minimum_healthy: 1}}\n", "penstock.yaml:6 rollouts.mine."
         "minimum_healthy: minimum_healthy is for servers; this application runs on Lambda functions"),
        (APPSPEC_OF_LAMBDA + "appspec: a\nrollouts: {mine: {steps: [{hold: 5m}]}}\n", "penstock.yaml:6 rollouts.mine."
         "steps: moves no traffic; add {shift: 100%}"),
    ],
)  # fmt: skip
def test_what_a_platform_lacks_or_needs_is_named(text: str, expected: str) -> None:
    with pytest.raises(InvalidFiles) as caught:
        read({"penstock.yaml": text}, CONTEXT)
    assert [str(mistake).replace("penstock.yaml:1: ", "penstock.yaml: ") for mistake in caught.value.mistakes] == [
        expected
    ]
