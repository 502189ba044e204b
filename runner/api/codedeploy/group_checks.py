"""What is wrong with a deployment group by itself, whatever platform it is for. In the shape of a DeploymentGroupInfo.

Source: CodeDeploy API reference, "CreateDeploymentGroup" and the types it names; messages as received where known.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.api.codedeploy.tag_filters import tag_filters, tag_set
from runner.errors import Refused
from runner.model.manifest import RollbackEvent

MOST = 10  # alarms, triggers, Auto Scaling groups, load balancers of a kind

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,261}")
_BLUE_GREEN = "InvalidBlueGreenDeploymentConfigurationException"
_LONGEST_TERMINATION_WAIT = 2880  # minutes

Declared = Mapping[str, Any]


def check_group(declared: Declared) -> None:
    """Raises `Refused` with the exception of the first member that is wrong."""
    check_role(declared.get("serviceRoleArn"))
    check_targets(declared)
    check_triggers(declared.get("triggerConfigurations") or ())
    check_alarms(declared.get("alarmConfiguration"))
    check_auto_rollback(declared.get("autoRollbackConfiguration"))
    check_style(declared.get("deploymentStyle"))
    check_load_balancers(declared.get("loadBalancerInfo") or {})
    check_blue_green(declared.get("blueGreenDeploymentConfiguration") or {})
    check_options(declared)


def check_combinations(params: Mapping[str, Any]) -> None:
    """One form of tags or the other, in one call. An empty one is none."""
    for flat, whole, code in (
        ("ec2TagFilters", "ec2TagSet", "InvalidEC2TagCombinationException"),
        ("onPremisesInstanceTagFilters", "onPremisesTagSet", "InvalidOnPremisesTagCombinationException"),
    ):
        if params.get(flat) and (params.get(whole) or {}).get(f"{whole}List"):
            raise Refused(code, f"give {flat} or {whole}, not both")


def check_role(role: str | None) -> None:
    if role is not None and not _ROLE.fullmatch(role):
        raise Refused("InvalidRoleException", "a serviceRoleArn reads arn:aws:iam::ACCOUNT:role/NAME")


def check_targets(declared: Declared) -> None:
    tag_filters(declared.get("ec2TagFilters") or (), "InvalidEC2TagException")
    tag_set((declared.get("ec2TagSet") or {}).get("ec2TagSetList") or (), "InvalidEC2TagException")
    tag_filters(declared.get("onPremisesInstanceTagFilters") or (), "InvalidTagException")
    tag_set((declared.get("onPremisesTagSet") or {}).get("onPremisesTagSetList") or (), "InvalidTagException")
    groups = [each["name"] for each in declared.get("autoScalingGroups") or ()]
    if len(groups) > MOST or len(set(groups)) < len(groups) or not all(1 <= len(name) <= 255 for name in groups):
        raise Refused(
            "InvalidAutoScalingGroupException", f"at most {MOST} Auto Scaling groups, each once, of 1 to 255 characters"
        )


def check_triggers(triggers: Sequence[Mapping[str, Any]]) -> None:
    if len(triggers) > MOST:
        raise Refused("TriggerTargetsLimitExceededException", f"{len(triggers)} triggers; at most {MOST}")
    names = [trigger.get("triggerName") or "" for trigger in triggers]
    if not all(1 <= len(name) <= 100 for name in names):
        raise _trigger("a trigger has a triggerName of 1 to 100 characters")
    if len(set(names)) < len(names):
        raise _trigger("the triggers of a group have different names")
    for name, trigger in zip(names, triggers, strict=True):
        if not _TOPIC.fullmatch(trigger.get("triggerTargetArn") or ""):
            raise _trigger(f"trigger {name}: its triggerTargetArn must be the ARN of an SNS topic")
        if not trigger.get("triggerEvents"):
            raise _trigger(f"trigger {name}: triggerEvents must name an event")


def _trigger(message: str) -> Refused:
    return Refused("InvalidTriggerConfigException", message)


def check_alarms(configuration: Mapping[str, Any] | None) -> None:
    """Raises `Refused`: InvalidAlarmConfig, AlarmsLimitExceeded. Also for a deployment's own alarms."""
    if configuration is None:
        return
    names = [alarm.get("name") or "" for alarm in configuration.get("alarms") or ()]
    if len(names) > MOST:
        raise Refused("AlarmsLimitExceededException", f"{len(names)} alarms; at most {MOST}")
    if not all(1 <= len(name) <= 255 for name in names):
        raise Refused("InvalidAlarmConfigException", "an alarm has a name of 1 to 255 characters")
    if len(set(names)) < len(names):
        raise Refused("InvalidAlarmConfigException", "an alarm is named twice")
    if configuration.get("enabled") and not names:
        raise Refused("InvalidAlarmConfigException", "alarms are enabled, but none is named")


def check_auto_rollback(configuration: Mapping[str, Any] | None) -> None:
    """Raises `Refused`, InvalidAutoRollbackConfig. Also for a deployment's own."""
    if configuration and configuration.get("enabled") and not configuration.get("events"):
        raise Refused("InvalidAutoRollbackConfigException", "automatic rollback is enabled, but events names none")


def rollback_on(configuration: Mapping[str, Any] | None) -> tuple[RollbackEvent, ...]:
    """The events of an `AutoRollbackConfiguration`, none when it is not enabled."""
    if not configuration or not configuration.get("enabled"):
        return ()
    return tuple(dict.fromkeys(configuration.get("events") or ()))


def check_style(style: Mapping[str, Any] | None) -> None:
    if style is not None and not (style.get("deploymentType") and style.get("deploymentOption")):
        raise Refused(
            "InvalidDeploymentStyleException", "deploymentStyle needs a deploymentType and a deploymentOption"
        )


def check_load_balancers(info: Mapping[str, Any]) -> None:
    for member in ("elbInfoList", "targetGroupInfoList"):
        named = info.get(member) or ()
        if len(named) > MOST or not all(each.get("name") for each in named):
            raise Refused("InvalidLoadBalancerInfoException", f"{member} holds at most {MOST}, each with a name")
    pairs = info.get("targetGroupPairInfoList") or ()
    if len(pairs) > 1:
        raise Refused("InvalidTargetGroupPairException", "only one pair of target groups can be specified")
    for pair in pairs:
        routes = [pair[route] for route in ("prodTrafficRoute", "testTrafficRoute") if pair.get(route)]
        if any(len(route.get("listenerArns") or ()) > 1 for route in routes):
            raise Refused("InvalidTargetGroupPairException", "a traffic route has one listener")
        if not all(each.get("name") for each in pair.get("targetGroups") or ()):
            raise Refused("InvalidTargetGroupPairException", "a target group has a name")


def check_blue_green(configuration: Mapping[str, Any]) -> None:
    ready = configuration.get("deploymentReadyOption") or {}
    wait = ready.get("waitTimeInMinutes")
    if ready.get("actionOnTimeout") == "CONTINUE_DEPLOYMENT" and wait:
        raise Refused(_BLUE_GREEN, "actionOnTimeout cannot be set to 'CONTINUE_DEPLOYMENT' when timeout is specified")
    terminate = configuration.get("terminateBlueInstancesOnDeploymentSuccess") or {}
    if not 0 <= (terminate.get("terminationWaitTimeInMinutes") or 0) <= _LONGEST_TERMINATION_WAIT:
        raise Refused(_BLUE_GREEN, f"terminationWaitTimeInMinutes must be from 0 to {_LONGEST_TERMINATION_WAIT}")
    if (wait or 0) < 0:
        raise Refused(_BLUE_GREEN, "waitTimeInMinutes must be 0 or more")


def check_options(declared: Declared) -> None:
    suspended = (declared.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend") or ()
    code = "InvalidAutoScalingGroupProcessToSuspendException"
    if len(set(suspended)) < len(suspended):
        raise Refused(code, "a process is named twice")
    if suspended and (declared.get("deploymentStyle") or {}).get("deploymentType") == "BLUE_GREEN":
        raise Refused(code, "processes can be suspended for in-place deployments only")
