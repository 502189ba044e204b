"""What notifications say: subject and body in the shape in which CodeDeploy's arrive, so that its receivers work unchanged.

Pure: who delivers, and when, is the affair of `notify`. The shape is the one seen in the field, not the documented one:
times as Java prints them, the parts of a body as JSON inside strings, statuses in capitals.

Where a message goes decides the region, the account and the trigger's name in it: an SNS topic's ARN has all three. A
webhook has none, and says `penstock`, no account, and its own name.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from runner.model.deployment import Deployment, RollbackInfo
from runner.model.manifest import GroupSettings, TriggerEvent
from runner.model.program import OUR_ACTS
from runner.model.target import LifecycleEvent, Target
from runner.model.value import Value

Body: TypeAlias = dict[str, str | None]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_STATUS: dict[TriggerEvent, str] = {
    "DeploymentStart": "CREATED",
    "DeploymentSuccess": "SUCCEEDED",
    "DeploymentFailure": "FAILED",
    "DeploymentStop": "STOPPED",
    "InstanceStart": "IN_PROGRESS",
    "InstanceSuccess": "SUCCEEDED",
    "InstanceFailure": "FAILED",
}
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def triggers_for(settings: GroupSettings, event: TriggerEvent) -> tuple[str, ...]:
    """Where to tell of *event*: each destination once, in the manifest's order."""
    return tuple(dict.fromkeys(trigger.to for trigger in settings.triggers if event in trigger.on))


def deployment_message(deployment: Deployment, event: TriggerEvent, to: str, at: dt.datetime) -> tuple[str, Body]:
    """Subject and body about a deployment, as it is at *at*. *to*: the destination, as the manifest has it.

    The start has the status CREATED; a rollback is told of with whatever status the new deployment has by then. Counts
    and errors come only with the end.
    Source: messages as received; CodeDeploy user guide, "JSON data formats for CodeDeploy triggers".
    """
    status = _STATUS.get(event) or _capitals(deployment.status)
    ended = status in _ENDED
    place = _place(to)
    body: Body = {
        **place.origin(),
        "applicationName": deployment.application,
        "deploymentId": deployment.id,
        "deploymentGroupName": deployment.group,
        "createTime": _time(deployment.created_at),
        "completeTime": _time(deployment.completed_at or at) if ended else None,
    }
    if ended:
        body["deploymentOverview"] = _overview(deployment)
    body["status"] = status
    if status in ("FAILED", "STOPPED"):
        body["errorInformation"] = _error(deployment)
    if deployment.rollback is not None or status in ("FAILED", "STOPPED"):
        body["rollbackInformation"] = _rollback(deployment.rollback)
    return _subject(status, deployment.id, place, deployment), body


def instance_message(
    deployment: Deployment, target: Target, event: TriggerEvent, to: str, at: dt.datetime
) -> tuple[str, Body]:
    """Subject and body about one target of a deployment, as it is at *at*; the subject names the target."""
    place = _place(to)
    body: Body = {
        **place.origin(),
        "deploymentId": deployment.id,
        "instanceId": f"arn:{place.partition}:codedeploy:{place.region}:{place.account or ''}:instance/{target.id}",
        "lastUpdatedAt": _time(target.updated_at or at),
        "instanceStatus": _STATUS.get(event) or _capitals(target.status),
        "lifecycleEvents": _json(
            [_lifecycle_event(each) for each in target.lifecycle_events if each.name not in OUR_ACTS]
        ),
    }
    return _subject(str(body["instanceStatus"]), target.id, place, deployment), body


class _Place(Value, frozen=True, kw_only=True):
    """Where a message goes, as far as the message itself tells."""

    partition: str = "aws"
    region: str = "penstock"
    account: str | None = None
    name: str

    def origin(self) -> Body:
        return {"region": self.region, "accountId": self.account, "eventTriggerName": self.name}


def _place(to: str) -> _Place:
    name = to.rsplit(":", 1)[-1]
    parts = to.split(":")  # sns:arn:PARTITION:sns:REGION:ACCOUNT:TOPIC
    if len(parts) == 7 and parts[:2] == ["sns", "arn"]:
        return _Place(partition=parts[2], region=parts[4] or "penstock", account=parts[5] or None, name=name)
    return _Place(name=name)


def _subject(status: str, what: str, place: _Place, deployment: Deployment) -> str:
    return f"{status}: AWS CodeDeploy {what} in {place.region} to {deployment.application}"


def _capitals(status: str) -> str:
    """InProgress: IN_PROGRESS."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


def _time(at: dt.datetime) -> str:
    """As Java's `Date` prints it; the names of days and months are English whatever this process's locale is."""
    utc = at.astimezone(dt.UTC)
    return f"{_DAYS[utc.weekday()]} {_MONTHS[utc.month - 1]} {utc:%d %H:%M:%S} UTC {utc.year}"


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _present(content: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in content.items() if value is not None}


def _overview(deployment: Deployment) -> str:
    counts = ("Succeeded", "Failed", "Skipped", "InProgress", "Pending")
    return _json({name: getattr(deployment.overview, name) for name in counts})


def _error(deployment: Deployment) -> str:
    error = deployment.error
    return _json({"ErrorCode": error.code, "ErrorMessage": error.message} if error else {})


def _rollback(info: RollbackInfo | None) -> str:
    if info is None:
        return "{}"
    return _json(
        _present(
            {
                "RollbackMessage": info.rollback_message,
                "RollbackDeploymentId": info.rollback_deployment_id,
                "RollbackTriggeringDeploymentId": info.rollback_triggering_deployment_id,
            }
        )
    )


def _lifecycle_event(event: LifecycleEvent) -> dict[str, str]:
    return _present(
        {
            "LifecycleEvent": event.name,
            "LifecycleEventStatus": event.status,
            "StartTime": _time(event.started_at) if event.started_at else None,
            "EndTime": _time(event.ended_at) if event.ended_at else None,
        }
    )
