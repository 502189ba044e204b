"""Requests and answers made up from a service model: valid requests, spoilt ones, and answers that fit.

Strategies for hypothesis; a shape's enumeration, length and pattern are kept by what is called valid. Names come from
small pools, so that calls meet what earlier calls have made.
"""

import datetime as dt
import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Model = dict[str, Any]

Pools = Mapping[str, list[str]]

POOLS: Pools = {
    "ApplicationName": ["shop", "blog", "a", "x" * 100, "a.b_c+d=e,f@g-h"],
    "Arn": [
        "arn:aws:codedeploy:us-east-1:000000000000:application:shop",
        "arn:aws:codedeploy:us-east-1:000000000000:deploymentgroup:shop/prod",
        "arn:aws:codedeploy:us-east-1:000000000000:deploymentconfig:careful",
        "arn:aws:s3:::bucket",
        "nonsense",
    ],
    "CommitId": ["0123456789abcdef0123456789abcdef01234567", "main"],
    "DeploymentConfigName": ["CodeDeployDefault.OneAtATime", "CodeDeployDefault.AllAtOnce", "careful"],
    "DeploymentGroupName": ["prod", "test"],
    "DeploymentId": ["d-ABCDEFGHI", "d-000000000"],
    "ETag": ["0123456789abcdef"],
    "IamUserArn": ["arn:aws:iam::000000000000:user/host", "nonsense"],
    "IamSessionArn": ["arn:aws:sts::000000000000:assumed-role/r/host", "nonsense"],
    "InstanceId": ["web-1", "web-2"],
    "InstanceName": ["web-1", "web-2", "a:b"],
    "Key": ["env", "role"],
    "Value": ["prod", "web", "*"],
    "S3Bucket": ["bundles"],
    "S3Key": ["shop.zip", "shop/1.tgz"],
    "TargetId": ["web-1", "web-2"],
    "Repository": ["owner/name"],
    "Role": ["arn:aws:iam::000000000000:role/deployer", "deployer"],
    "NextToken": ["", "bm9uc2Vuc2U"],
    "DeploymentExecutionId": ["CodeDeploy/us-east-1/Prod/arn:aws:codedeploy:us-east-1:0:deployment/d-ABCDEFGHI"],
    "HostIdentifier": ["web-1", "arn:aws:iam::000000000000:user/web-1"],
}
"""Shape -> values of it that are worth trying, valid for the model."""

SENSIBLE: Mapping[str, list[Any]] = {
    "RevisionLocation": [
        {"revisionType": "S3", "s3Location": {"bucket": "bundles", "key": "shop.zip", "bundleType": "zip"}},
        {
            "revisionType": "S3",
            "s3Location": {"bucket": "b", "key": "k", "bundleType": "tgz", "eTag": '"0f"', "version": "1"},
        },
        {"revisionType": "GitHub", "gitHubLocation": {"repository": "owner/name", "commitId": "0" * 40}},
        {"revisionType": "AppSpecContent", "appSpecContent": {"content": "version: 0.0", "sha256": "0" * 64}},
    ],
    "Tag": [{"Key": "env", "Value": "prod"}, {"Key": "role", "Value": "web"}],
    "TagFilter": [{"Key": "env", "Value": "prod", "Type": "KEY_AND_VALUE"}, {"Key": "role", "Type": "KEY_ONLY"}],
    "EC2TagFilter": [{"Key": "env", "Value": "prod", "Type": "KEY_AND_VALUE"}],
    "MinimumHealthyHosts": [{"type": "HOST_COUNT", "value": 1}, {"type": "FLEET_PERCENT", "value": 50}],
    "Alarm": [{"name": "cpu"}],
    "AlarmConfiguration": [{"enabled": True, "alarms": [{"name": "cpu"}]}],
    "AutoRollbackConfiguration": [{"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}, {"enabled": False}],
    "DeploymentStyle": [{"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}],
    "TriggerConfig": [
        {
            "triggerName": "t",
            "triggerTargetArn": "arn:aws:sns:us-east-1:000000000000:t",
            "triggerEvents": ["DeploymentStart"],
        }
    ],
    "ECSService": [{"serviceName": "web", "clusterName": "main"}],
    "TargetGroupPairInfo": [
        {
            "targetGroups": [{"name": "blue"}, {"name": "green"}],
            "prodTrafficRoute": {"listenerArns": ["arn:aws:elasticloadbalancing:us-east-1:0:listener/app/web/1/2"]},
        }
    ],
    "BlueGreenDeploymentConfiguration": [
        {"deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 5}},
        {"terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5}},
    ],
    "Diagnostics": [{"Format": "JSON", "Payload": '{"error_code":0,"script_name":"","message":"Succeeded","log":""}'}],
}
"""Structure -> whole values that also make sense; half of what is made up is one of these."""

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**31, -(2**63) - 1, 2**64, 10**40, 1e300, 0.5, "", " ", "\x00", "x" * 300, "x" * 5000]),
        _TEXT,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=4,
)


USUAL: Mapping[str, tuple[str, ...]] = {
    "ContinueDeployment": ("deploymentId", "deploymentWaitType"),
    "CreateDeployment": ("deploymentGroupName", "revision"),
    "PutLifecycleEventHookExecutionStatus": ("deploymentId", "lifecycleEventHookExecutionId", "status"),
    "RegisterOnPremisesInstance": ("iamUserArn",),
    "SkipWaitTimeForInstanceTermination": ("deploymentId",),
    "UpdateApplication": ("applicationName", "newApplicationName"),
}
"""Operation -> members without which it does nothing, although the model does not require them."""


def requests(model: Model, operation: str, pools: Pools = POOLS) -> st.SearchStrategy[dict[str, Any]]:
    """Valid input of *operation*, as JSON values."""
    described = model["operations"][operation]
    if "input" not in described:
        return st.just({})
    name = described["input"]["shape"]
    made: st.SearchStrategy[dict[str, Any]] = _values(model, name, pools)
    if operation not in USUAL:
        return made
    members = model["shapes"][name]["members"]
    usual = {member: _values(model, members[member]["shape"], pools) for member in USUAL[operation]}
    return st.builds(lambda less, more: less | more, made, st.fixed_dictionaries(usual)) | made


def _values(model: Model, name: str, pools: Pools) -> st.SearchStrategy[Any]:
    shape = model["shapes"][name]
    match shape["type"]:
        case "structure":
            needed = shape.get("required", ())
            members = {member: _values(model, ref["shape"], pools) for member, ref in shape["members"].items()}
            must = {member: value for member, value in members.items() if member in needed}
            may = {member: value for member, value in members.items() if member not in needed}
            few = st.lists(st.sampled_from(sorted(may)), max_size=2, unique=True) if may else st.just([])
            sparse = few.flatmap(lambda names: st.fixed_dictionaries(must | {name: may[name] for name in names}))
            everything = st.fixed_dictionaries(must, optional=may)
            return (
                st.sampled_from(SENSIBLE[name]).map(deepcopy) | everything if name in SENSIBLE else sparse | everything
            )
        case "list":
            least = shape.get("min", 0)
            items = _values(model, shape["member"]["shape"], pools)
            return st.lists(items, min_size=max(least, 1), max_size=max(least, 3)) | st.lists(
                items, min_size=least, max_size=max(least, 1)
            )
        case "map":
            keys, values = _values(model, shape["key"]["shape"], pools), _values(model, shape["value"]["shape"], pools)
            return st.dictionaries(keys, values, max_size=3)
        case "string":
            return _strings(name, shape, pools)
        case "integer" | "long":
            return st.integers(0, 120) | st.integers(-(2**31), 2**31 - 1)
        case "double" | "float":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "timestamp":
            return st.integers(0, 4 * 10**9) | st.floats(0, 4e9).map(lambda seconds: round(seconds, 3))
        case "boolean":
            return st.booleans()
        case other:
            raise AssertionError(f"the shape {name} has the type {other}: say how to make it up")


def _strings(name: str, shape: dict[str, Any], pools: Pools) -> st.SearchStrategy[str]:
    if "enum" in shape:
        return st.sampled_from(shape["enum"])
    if name in pools:
        return st.sampled_from(pools[name])
    if "pattern" in shape:
        return st.from_regex(shape["pattern"], fullmatch=True)
    least = shape.get("min", 0)
    return st.text(
        st.characters(exclude_categories=["Cs"]), min_size=least, max_size=max(least, min(shape.get("max", 40), 40))
    )


@st.composite
def spoilt(draw: st.DrawFn, model: Model, operation: str, pools: Pools = POOLS) -> Any:
    """A valid request in which one thing, anywhere, is replaced by junk, removed, repeated or added."""
    request = draw(requests(model, operation, pools))
    places = list(_places(request))
    if not places:
        return draw(_JUNK)
    holder, key = draw(st.sampled_from(places))
    match draw(st.sampled_from(["replace", "null", "remove", "many", "more"])):
        case "replace":
            holder[key] = draw(_JUNK)
        case "null":
            holder[key] = None
        case "remove":
            del holder[key]
        case "many":
            holder[key] = [holder[key]] * draw(st.sampled_from([2, 30, 120]))
        case _:
            request[draw(_TEXT)] = draw(_JUNK)
    return request


def _places(value: Any) -> Any:
    """Every (holder, key or index) inside *value*."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield value, key
        yield from _places(item)


RAW = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"null",
            b"{",
            b"[]",
            b"[" * 100_000,
            b'{"a":' * 5_000,
            b"NaN",
            b"1" * 10_000,
            b'{"applicationName":1e999}',
        ]
    ),
    st.sampled_from(
        [b"\xff\xfe{}", b'{"applicationName":"\\ud800"}', b'{"nextToken":"\xed\xa0\x80"}', b"\xef\xbb\xbf{}"]
    ),
    st.recursive(_JUNK, lambda inner: st.lists(inner), max_leaves=8).map(lambda value: repr(value).encode()),
)
"""Bodies that are seldom JSON."""


def made_up_answer(model: Model, operation: str, chance: random.Random) -> dict[str, Any]:
    """What a handler of *operation* might answer: Python values that fit its output shape, some of them None."""
    described = model["operations"][operation]
    return _answer(model, described["output"]["shape"], chance, 0) if "output" in described else {}


def _answer(model: Model, name: str, chance: random.Random, depth: int) -> Any:
    shape = model["shapes"][name]
    match shape["type"]:
        case "structure":
            needed = shape.get("required", ())
            return {
                member: None
                if member not in needed and chance.random() < 0.2 + depth / 10
                else _answer(model, ref["shape"], chance, depth + 1)
                for member, ref in shape["members"].items()
            }
        case "list":
            count = chance.randrange(shape.get("min", 0), 3)
            return [_answer(model, shape["member"]["shape"], chance, depth + 1) for _ in range(count)]
        case "map":
            key, value = shape["key"]["shape"], shape["value"]["shape"]
            return {
                _answer(model, key, chance, depth): _answer(model, value, chance, depth + 1)
                for _ in range(chance.randrange(3))
            }
        case "string":
            return chance.choice(
                shape.get("enum") or POOLS.get(name) or ["é€😀", "plain", 'a "quoted" \\ one', "\n\x00"]
            )
        case "integer" | "long":
            return chance.randrange(100)
        case "double" | "float":
            return chance.random() * 100
        case "timestamp":
            return dt.datetime.fromtimestamp(chance.randrange(4 * 10**9), dt.UTC)
        case "boolean":
            return chance.random() < 0.5
        case other:
            raise AssertionError(f"the shape {name} has the type {other}: say how to make it up")
