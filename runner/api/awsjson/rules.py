"""Which exception a wrong member gets: by its name where the name says it, else by the tables here.

An exception counts only where the operation declares it, so one table serves all operations.
Source: the errors that CodeDeploy's model declares for each operation, and what its texts say about them.
"""

from collections.abc import Collection, Mapping
from typing import Any

from runner.api.awsjson.faults import Fault

TRAITS: Mapping[str, Mapping[str, Any]] = {
    # Newer models say this themselves; botocore may be older than they are.
    "ApplicationName": {"min": 1, "max": 100, "pattern": "[A-Za-z0-9+=,.@_-]*"},
    "DeploymentGroupName": {"min": 1, "max": 100, "pattern": "[A-Za-z0-9+=,.@_-]*"},
    "DeploymentConfigName": {"min": 1, "max": 100, "pattern": "[A-Za-z0-9+=,.@_-]*"},
    # The model leaves these to the texts.
    "DeploymentId": {"pattern": "d-[A-Z0-9]{9}"},
    "Description": {"max": 256},
}
"""Shape -> constraints beside those of the model."""

ALSO_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ContinueDeployment": ("deploymentId",),
    "CreateDeployment": ("deploymentGroupName",),
    "DeleteGitHubAccountToken": ("tokenName",),
    "PutLifecycleEventHookExecutionStatus": ("deploymentId",),
    "SkipWaitTimeForInstanceTermination": ("deploymentId",),
    "UpdateApplication": ("applicationName",),
}
"""Operation -> members that it declares a `...RequiredException` for, although its model does not require them."""

BATCHES: Mapping[str, tuple[str, int, str]] = {
    "BatchGetApplicationRevisions": ("revisions", 25, "BatchLimitExceededException"),
    "BatchGetApplications": ("applicationNames", 100, "BatchLimitExceededException"),
    "BatchGetDeploymentGroups": ("deploymentGroupNames", 100, "BatchLimitExceededException"),
    "BatchGetDeploymentInstances": ("instanceIds", 25, "BatchLimitExceededException"),
    "BatchGetDeployments": ("deploymentIds", 25, "BatchLimitExceededException"),
    "BatchGetDeploymentTargets": ("targetIds", 25, "DeploymentTargetListSizeExceededException"),
    "BatchGetOnPremisesInstances": ("instanceNames", 25, "BatchLimitExceededException"),
}
"""Operation -> a list, how many it may hold, and the exception when it holds more."""

_MISSING: Mapping[str, str] = {
    "currentDeploymentGroupName": "DeploymentGroupName",
    "serviceRoleArn": "Role",
    "TagKeys": "Tag",
    "targetId": "DeploymentTargetId",
    "targetIds": "DeploymentTargetId",
    "tokenName": "GitHubAccountTokenName",
}
"""Member -> the word before `RequiredException`, where it is not the member's own name."""

_INVALID: Mapping[str, tuple[str, ...]] = {
    "alarmConfiguration": ("InvalidAlarmConfig",),
    "autoRollbackConfiguration": ("InvalidAutoRollbackConfig",),
    "createTimeRange": ("InvalidTimeRange",),
    "currentDeploymentGroupName": ("InvalidDeploymentGroupName",),
    "deployed": ("InvalidDeployedStateFilter",),
    "description": ("DescriptionTooLong",),
    "ec2DeploymentOptions": ("InvalidAutoScalingGroupProcessToSuspend",),
    "ec2TagFilters": ("InvalidEC2Tag",),
    "ec2TagSet": ("InvalidEC2Tag",),
    "ecsServices": ("InvalidECSService",),
    "includeOnlyStatuses": ("InvalidDeploymentStatus",),
    "instanceId": ("InvalidInstanceName",),
    "instanceIds": ("InvalidInstanceName",),
    "instanceStatusFilter": ("InvalidInstanceStatus",),
    "instanceTypeFilter": ("InvalidInstanceType",),
    "minimumHealthyHosts": ("InvalidMinimumHealthyHostValue",),
    "newApplicationName": ("InvalidApplicationName",),
    "newDeploymentGroupName": ("InvalidDeploymentGroupName",),
    "onPremisesInstanceTagFilters": ("InvalidTag",),
    "onPremisesTagSet": ("InvalidTag",),
    "overrideAlarmConfiguration": ("InvalidAlarmConfig",),
    "ResourceArn": ("InvalidArn",),
    "s3Bucket": ("InvalidBucketNameFilter",),
    "s3KeyPrefix": ("InvalidKeyPrefixFilter",),
    "serviceRoleArn": ("InvalidRole",),
    "status": ("InvalidLifecycleEventHookExecutionStatus",),
    "TagKeys": ("InvalidTagsToAdd",),
    "Tags": ("InvalidTagsToAdd",),
    "tags": ("InvalidTagsToAdd", "InvalidTag"),
    "targetFilters": ("InvalidTargetFilterName",),
    "targetGroupPairInfoList": ("InvalidTargetGroupPair",),
    "targetId": ("InvalidDeploymentTargetId",),
    "targetIds": ("InvalidDeploymentTargetId",),
    "tokenName": ("InvalidGitHubAccountTokenName",),
    "trafficRoutingConfig": ("InvalidTrafficRoutingConfiguration",),
    "triggerConfigurations": ("InvalidTriggerConfig",),
    "zonalConfig": ("InvalidZonalDeploymentConfiguration",),
}
"""Member -> exceptions for a value of it that is not allowed, in order of preference, without the suffix."""

GENERAL = ("InvalidInputException", "ClientException")
"""For members without an exception of their own, where an operation declares one of these."""


def exception(fault: Fault, declared: Collection[str]) -> str:
    """The name of the exception for *fault* in an operation that declares *declared*."""
    if fault.kind == "type":
        return "SerializationException"
    names = [step for step in fault.path if isinstance(step, str)]
    if fault.kind == "missing" and (own := missing(names[-1], declared)):
        return own
    for name in reversed(names):
        for stem in (*_INVALID.get(name, ()), *(f"Invalid{word}" for word in _words(name))):
            if f"{stem}Exception" in declared:
                return f"{stem}Exception"
    return general(declared)


def general(declared: Collection[str]) -> str:
    """The exception for what has no own one."""
    return next((name for name in GENERAL if name in declared), "ValidationException")


def missing(member: str, declared: Collection[str]) -> str | None:
    """The exception of an operation that declares *declared* for *member* not being there; None: it has no own one."""
    words = [_MISSING[member]] if member in _MISSING else _words(member)
    return next((name for word in words if (name := f"{word}RequiredException") in declared), None)


def _words(member: str) -> list[str]:
    """`instanceNames` -> `InstanceNames`, `InstanceName`."""
    word = member[:1].upper() + member[1:]
    return [word, word.removesuffix("s")]
