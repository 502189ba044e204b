"""What a CodeDeploy endpoint answers, as rollouts, and what has changed between two of them."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.cli.action.outcome import EventRow, Failure, Rollout, TargetRow
from runner.cli.action.revision import label
from runner.cli.words import between


def rollout(info: Mapping[str, Any], targets: list[dict[str, Any]], asked: bool) -> Rollout:
    """*info*: `deploymentInfo`."""
    return Rollout(
        id=info["deploymentId"],
        place=f"{info.get('applicationName', '')}/{info.get('deploymentGroupName', '')}",
        revision=label(info.get("revision", {})),
        configuration=info.get("deploymentConfigName", ""),
        status=info["status"],
        took=between(info.get("startTime"), info.get("completeTime")),
        message=info.get("errorInformation", {}).get("message", ""),
        asked=asked,
        rolls_back=info.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId"),
        targets=tuple(_target(each) for each in targets),
        failures=tuple(_failures(targets)),
    )


def _target(target: Mapping[str, Any]) -> TargetRow:
    events = (
        EventRow(event["lifecycleEventName"], event["status"], _took(event))
        for event in target.get("lifecycleEvents", [])
    )
    return TargetRow(str(target.get("targetId", "")), str(target.get("status", "")), tuple(events))


def _took(event: Mapping[str, Any]) -> str:
    end: dt.datetime | None = event.get("endTime")
    return between(event.get("startTime"), end) if end else ""


def _failures(targets: list[dict[str, Any]]) -> Iterator[Failure]:
    for target in targets:
        for event in target.get("lifecycleEvents", []):
            if event["status"] == "Failed":
                found = event.get("diagnostics", {})
                told = (found.get(key, "") for key in ("scriptName", "message", "logTail"))
                yield Failure(str(target.get("targetId", "")), event["lifecycleEventName"], *told)


def changes(before: Rollout | None, now: Rollout) -> list[str]:
    """What has happened between two looks, a line each."""
    lines = []
    if before is None:
        back = f", rolls back {now.rolls_back}" if now.rolls_back else ""
        lines.append(f"created: deploys {now.revision}, {now.configuration}{back}")
    known = {target.name: target for target in before.targets} if before else {}
    failures = {(failure.target, failure.event): failure for failure in now.failures}
    for target in now.targets:
        old = known.get(target.name)
        was = {event.name: event.status for event in old.events} if old else {}
        for event in target.events:
            if event.status == "Failed" and was.get(event.name) != "Failed":
                lines.append(f"{target.name} {event.name} failed: {failures[target.name, event.name].message}")
        if target.status in ("Succeeded", "Failed", "Skipped") and (old is None or old.status != target.status):
            lines.append(f"{target.name} {target.status.lower()}")
    if before is None or before.status != now.status:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", now.status).lower()
        if words != "created":
            lines.append(f"{words}: {now.message}" if now.message else words)
    return lines
