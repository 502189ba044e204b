"""What the doctor finds, in a cloud where something is missing; and that it changes nothing there."""

import ast
import json
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from scripted_aws import Answer, answer, query_refusal, scripted_aws
from support.ecs_world import EcsWorld
from support.functions import greeting, make_function

import runner.platforms
from runner.aws import Aws
from runner.aws.doctor import Subject, examine
from runner.aws.doctor.allowing import judge
from runner.aws.doctor.identity import Identity
from runner.aws.doctor.need import Need
from runner.aws.doctor.needs import needs
from runner.aws.doctor.seen import Seen
from runner.model.aws import AwsPlace
from runner.model.services import Route, ServiceSettings

HERE = AwsPlace(region="eu-west-1")
ROLE = "arn:aws:iam::111122223333:role/deploy"
WHO = Identity(ROLE, "111122223333", "aws", "eu-west-1", ROLE)
FUNCTION = Subject(
    application="resize",
    group="production",
    platform="Lambda",
    place=HERE,
    function="orders",
    alias="live",
    publishes=True,
)


def with_(subject, **changes):
    return Subject(**{**{name: getattr(subject, name) for name in subject.__struct_fields__}, **changes})


def told(findings, *verdicts):
    return {finding.what: finding.message for finding in findings if finding.verdict in verdicts}


@pytest.fixture
def orders(aws):
    """A function with an alias, in a cloud in which nobody may simulate policies."""
    make_function(aws, "orders", greeting(1))
    aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    aws.forget()
    return aws


def state_of(aws):
    client = aws.client("lambda")
    alias = client.get_alias(FunctionName="orders", Name="live")
    versions = client.list_versions_by_function(FunctionName="orders")["Versions"]
    return alias["FunctionVersion"], alias["RevisionId"], [(each["Version"], each["CodeSha256"]) for each in versions]


def test_a_function_that_has_all_it_needs_is_well_and_stays_as_it_is(orders):
    before = state_of(orders)
    findings = examine(Aws(), FUNCTION)
    assert told(findings, "missing", "denied", "unknown") == {}
    assert {"credentials", "function orders", "alias live of function orders"} <= told(findings, "ok").keys()
    assert state_of(orders) == before
    assert [call.name for call in orders.calls(mutating=True) if call.status < 300] == []


def test_what_is_not_there_is_named(orders):
    subject = with_(FUNCTION, alias="gone", hooks=("check-orders",), alarms=("errors",))
    lost = told(examine(Aws(), subject), "missing")
    assert set(lost) == {"alias gone of function orders", "hook function check-orders", "alarm errors"}
    assert "no such alarm in eu-west-1" in lost["alarm errors"]
    lost = told(examine(Aws(), with_(FUNCTION, function="gone")), "missing")
    assert "Function not found" in lost["function gone"]


def test_an_alias_that_no_deployment_could_begin_with_is_told(orders):
    client = orders.client("lambda")
    client.update_alias(FunctionName="orders", Name="live", FunctionVersion="$LATEST")
    lost = told(examine(Aws(), FUNCTION), "missing")
    assert "$LATEST" in lost["alias live of function orders"]


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("UpdateAlias", "lambda:UpdateAlias"),
        ("PublishVersion", "lambda:PublishVersion"),
        ("UpdateFunctionCode", "lambda:UpdateFunctionCode"),
        ("GetAlias", "lambda:GetAlias"),
    ],
)
def test_each_missing_permission_is_found_by_trying_and_named_once_with_its_statement(orders, operation, action):
    orders.fail("lambda", operation, times=None, code="AccessDeniedException", status=403, message="no")
    denied = [each for each in examine(Aws(), FUNCTION) if each.verdict == "denied"]
    assert [each.statement["Action"] for each in denied] == [action]
    assert denied[0].who


def test_a_hook_may_be_tried_without_running_it(orders):
    make_function(orders, "check-orders", greeting(1))
    orders.forget()
    orders.fail("lambda", "Invoke", times=None, code="AccessDeniedException", status=403, message="no")
    denied = [each for each in examine(Aws(), with_(FUNCTION, hooks=("check-orders",))) if each.verdict == "denied"]
    assert [each.statement["Action"] for each in denied] == ["lambda:InvokeFunction"]
    (call,) = orders.calls(service="lambda", operation="Invoke")
    assert "DryRun" in json.dumps(call.params)


def test_without_credentials_that_is_all_that_is_found(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (only,) = examine(Aws(), FUNCTION)
    assert (only.what, only.verdict) == ("credentials", "missing")
    assert "AWS_ACCESS_KEY_ID" in only.message


def test_a_role_that_cannot_be_assumed_is_all_that_is_found(aws):
    aws.fail("sts", "AssumeRole", times=None, code="AccessDenied", status=403, message="not authorized")
    (only,) = examine(Aws(), with_(FUNCTION, place=AwsPlace(region="eu-west-1", role=ROLE)))
    assert "trust policy" in only.message


def test_a_service_with_its_listeners_and_target_groups(aws):
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    world = EcsWorld(aws)
    world.serve(controller="EXTERNAL", desired=1)
    aws.forget()
    route = Route(listener=world.listener, test_listener=world.test_listener, target_groups=("blue", world.green))
    service = ServiceSettings(cluster="main", name="web", routes=(route,))
    subject = Subject(application="api", group="production", platform="ECS", place=HERE, service=service)
    sets = aws.client("ecs").describe_services(cluster="main", services=["web"])["services"][0]["taskSets"]
    findings = examine(Aws(), subject)
    assert told(findings, "missing", "denied") == {}
    assert [what.partition(" ")[0] for what in told(findings, "unknown")] == ["ecs:CreateTaskSet"]
    assert {"service web in cluster main", "target group blue"} <= told(findings, "ok").keys()
    after = aws.client("ecs").describe_services(cluster="main", services=["web"])["services"][0]["taskSets"]
    assert [each["id"] for each in after] == [each["id"] for each in sets]
    aws.fail("elbv2", "ModifyListener", times=None, code="AccessDenied", status=403, message="no")
    denied = [each.statement for each in examine(Aws(), subject) if each.verdict == "denied"]
    assert [each["Resource"] for each in denied] == [world.listener, world.test_listener]


def test_a_service_that_is_not_there_and_a_target_group_that_is_not_there(aws):
    aws.fail("iam", "SimulatePrincipalPolicy", times=None, code="AccessDenied", status=403, message="no")
    service = ServiceSettings(cluster="gone", name="web", routes=(Route(target_groups=("blue",)),))
    subject = Subject(application="api", group="production", platform="ECS", place=HERE, service=service)
    lost = told(examine(Aws(), subject), "missing")
    assert set(lost) == {"service web in cluster gone", "target group blue"}


def decision(action, decided):
    return (
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        f"<EvalDecision>{decided}</EvalDecision></member>"
    )


def simulated(*decisions):
    inner = f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(decisions)}</EvaluationResults>"
    outer = "SimulatePrincipalPolicyResponse", "SimulatePrincipalPolicyResult"
    return Answer(200, f"<{outer[0]}><{outer[1]}>{inner}</{outer[1]}></{outer[0]}>".encode())


def test_where_policies_may_be_simulated_nothing_is_tried(monkeypatch):
    asked = [
        Need("lambda", "update_alias", "*", {}),
        Need("lambda", "invoke", "*", {}),
        Need("ecs", "list_tasks", "*", {}),
    ]
    decided = simulated(
        decision("lambda:UpdateAlias", "allowed"),
        decision("lambda:InvokeFunction", "implicitDeny"),
        decision("ecs:ListTasks", "explicitDeny"),
    )
    with scripted_aws(decided) as script:
        for name, value in script.environ.items():
            monkeypatch.setenv(name, value)
        allowed, denied, forbidden = judge(Aws(), HERE, WHO, asked)
    assert [call.service for call in script.asked] == ["iam"]
    assert script.asked[0].form["PolicySourceArn"] == [ROLE]
    assert allowed.verdict == "ok"
    assert denied.statement == {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    assert (forbidden.verdict, forbidden.statement) == ("denied", None)
    assert "denies it" in forbidden.message


def test_where_the_role_may_not_simulate_the_runner_itself_is_asked(monkeypatch):
    from scripted_aws import assumed

    with scripted_aws(
        query_refusal(403, "AccessDenied", "no"), simulated(decision("ecs:ListTasks", "allowed"))
    ) as script:
        script.sts = [assumed("ROLEKEY", "2099-01-01T00:00:00Z")]
        for name, value in script.environ.items():
            monkeypatch.setenv(name, value)
        place = AwsPlace(region="eu-west-1", role=ROLE)
        (found,) = judge(Aws(), place, WHO, [Need("ecs", "list_tasks", "*", None)])
    assert found.verdict == "ok"
    assert [call.access_key for call in script.asked if call.service == "iam"] == ["ROLEKEY", "test-key"]


def test_the_root_user_is_not_asked_about(monkeypatch):
    with scripted_aws(answer({})) as script:
        for name, value in script.environ.items():
            monkeypatch.setenv(name, value)
        root = WHO._replace(arn="arn:aws:iam::111122223333:root")
        (found,) = judge(Aws(), HERE, root, [Need("ecs", "list_tasks", "*", None)])
    assert (found.verdict, script.asked) == ("ok", [])


def operations():
    session = botocore.session.get_session()
    return {
        xform_name(name): service
        for service in ("lambda", "ecs", "elbv2")
        for name in session.get_service_model(service).operation_names
    }


def called_by_platforms():
    """Every operation of Lambda, ECS and ELB that the platforms name anywhere."""
    known, folder = operations(), Path(runner.platforms.__file__).parent
    for part in ("functions", "services", "hooks"):
        for file in (folder / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known:
                    yield known[node.value], node.value


def test_every_operation_that_platforms_call_is_among_the_needs():
    route = Route(listener="arn:l", target_groups=("blue",))
    service = ServiceSettings(cluster="main", name="web", routes=(route,), task_definition="task.json")
    subjects = [
        (with_(FUNCTION, hooks=("hook",)), Seen()),
        *(
            (
                Subject(application="a", group="g", platform="ECS", place=HERE, service=service),
                Seen(controller=controller, listeners=("arn:l",), rules=("arn:r",), target_groups=("arn:t",)),
            )
            for controller in ("EXTERNAL", "ECS")
        ),
    ]
    needed = {(need.service, need.operation) for subject, seen in subjects for need in needs(subject, WHO, seen)}
    called = set(called_by_platforms())
    assert ("lambda", "update_alias") in called
    assert called - needed == set()


def test_all_calls_that_are_tried_are_well_formed():
    """botocore's own validation: a call that could not be sent would prove nothing."""
    from botocore.validate import ParamValidator

    session = botocore.session.get_session()
    route = Route(listener="arn:l", target_groups=("blue",))
    service = ServiceSettings(cluster="main", name="web", routes=(route,), task_definition="task.json")
    seen = [
        Seen(
            controller=controller, task_definition="web:1", roles=("arn:role",), listeners=("arn:l",), rules=("arn:r",)
        )
        for controller in ("EXTERNAL", "ECS")
    ]
    subjects = [(with_(FUNCTION, hooks=("hook",), alarms=("a",), bucket="b"), Seen())]
    subjects += [
        (Subject(application="a", group="g", platform="ECS", place=HERE, service=service), each) for each in seen
    ]
    for subject, one in subjects:
        for need in needs(subject, WHO, one):
            if need.params is None:
                continue
            model = session.get_service_model(need.service)
            name = next(each for each in model.operation_names if xform_name(each) == need.operation)
            report = ParamValidator().validate(need.params, model.operation_model(name).input_shape)
            assert not report.has_errors(), (need.operation, report.generate_report())
