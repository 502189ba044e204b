"""Subjects and bodies, against messages in the shape in which CodeDeploy's own were received."""

import datetime as dt
import json
from typing import Any

import pytest

from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, Overview, RollbackInfo
from runner.model.manifest import GroupSettings, Trigger
from runner.model.revision import GitRevision
from runner.model.rollout import Rollout
from runner.model.target import EventStatus, LifecycleEvent, Target, TargetStatus
from runner.plan.messages import deployment_message, instance_message, triggers_for

TOPIC = "sns:arn:aws:sns:eu-west-1:111122223333:deploys"
BEGIN = dt.datetime(2022, 10, 13, 15, 50, 45, tzinfo=dt.UTC)
END = dt.datetime(2022, 10, 13, 15, 58, 2, 999_000, tzinfo=dt.UTC)


def settings(*triggers: Trigger) -> GroupSettings:
    rollout = Rollout(name="CodeDeployDefault.OneAtATime")
    return GroupSettings(name="prod", tags={"role": ("web",)}, rollout=rollout, triggers=triggers)


def deployment(status: DeploymentStatus, **changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "id": "d-AB12CD34E",
        "application": "shop",
        "group": "prod",
        "group_id": "g1",
        "revision": GitRevision(repository="shop", commit_id="a" * 40),
        "settings": settings(),
        "creator": "user",
        "status": status,
        "created_at": BEGIN,
    }
    return Deployment(**{**fields, **changes})


def test_the_start_says_created_and_counts_nothing() -> None:
    subject, body = deployment_message(deployment(DeploymentStatus.IN_PROGRESS), "DeploymentStart", TOPIC, BEGIN)
    assert subject == "CREATED: AWS CodeDeploy d-AB12CD34E in eu-west-1 to shop"
    assert body == {
        "region": "eu-west-1",
        "accountId": "111122223333",
        "eventTriggerName": "deploys",
        "applicationName": "shop",
        "deploymentId": "d-AB12CD34E",
        "deploymentGroupName": "prod",
        "createTime": "Thu Oct 13 15:50:45 UTC 2022",
        "completeTime": None,
        "status": "CREATED",
    }


def test_a_success_has_its_counts_and_no_error() -> None:
    ended = deployment(DeploymentStatus.SUCCEEDED, completed_at=END, overview=Overview(Succeeded=4))
    subject, body = deployment_message(ended, "DeploymentSuccess", TOPIC, END)
    assert subject == "SUCCEEDED: AWS CodeDeploy d-AB12CD34E in eu-west-1 to shop"
    assert body["completeTime"] == "Thu Oct 13 15:58:02 UTC 2022"
    assert body["deploymentOverview"] == '{"Succeeded":4,"Failed":0,"Skipped":0,"InProgress":0,"Pending":0}'
    assert list(body)[-2:] == ["deploymentOverview", "status"]


def test_a_failed_rollback_reads_as_one_seen_in_the_field() -> None:
    ended = deployment(
        DeploymentStatus.FAILED,
        completed_at=END,
        overview=Overview(Failed=1, Skipped=3),
        error=ErrorInformation(code="HEALTH_CONSTRAINTS", message="too many individual instances failed"),
        rollback=RollbackInfo(
            rollback_triggering_deployment_id="d-000000001",
            rollback_message="Deployment d-AB12CD34E is triggered to roll back deployment d-000000001.",
        ),
    )
    subject, body = deployment_message(ended, "DeploymentFailure", TOPIC, END)
    assert subject == "FAILED: AWS CodeDeploy d-AB12CD34E in eu-west-1 to shop"
    assert json.dumps(body, separators=(",", ":")) == (
        '{"region":"eu-west-1","accountId":"111122223333","eventTriggerName":"deploys","applicationName":"shop",'
        '"deploymentId":"d-AB12CD34E","deploymentGroupName":"prod","createTime":"Thu Oct 13 15:50:45 UTC 2022",'
        '"completeTime":"Thu Oct 13 15:58:02 UTC 2022",'
        '"deploymentOverview":"{\\"Succeeded\\":0,\\"Failed\\":1,\\"Skipped\\":3,\\"InProgress\\":0,\\"Pending\\":0}",'
        '"status":"FAILED","errorInformation":"{\\"ErrorCode\\":\\"HEALTH_CONSTRAINTS\\",'
        '\\"ErrorMessage\\":\\"too many individual instances failed\\"}",'
        '"rollbackInformation":"{\\"RollbackMessage\\":'
        '\\"Deployment d-AB12CD34E is triggered to roll back deployment d-000000001.\\",'
        '\\"RollbackTriggeringDeploymentId\\":\\"d-000000001\\"}"}'
    )


def test_a_failure_that_was_rolled_back_names_the_rollback() -> None:
    info = RollbackInfo(rollback_deployment_id="d-000000002", rollback_message="rolled back")
    failed = deployment(DeploymentStatus.FAILED, completed_at=END, rollback=info)
    _, body = deployment_message(failed, "DeploymentFailure", TOPIC, END)
    told = json.loads(body["rollbackInformation"] or "")
    assert told == {"RollbackMessage": "rolled back", "RollbackDeploymentId": "d-000000002"}


def test_a_stop_without_a_reason_still_has_its_strings() -> None:
    _, body = deployment_message(deployment(DeploymentStatus.STOPPED), "DeploymentStop", TOPIC, END)
    assert (body["errorInformation"], body["rollbackInformation"]) == ("{}", "{}")
    assert body["completeTime"] == "Thu Oct 13 15:58:02 UTC 2022"  # not recorded yet: now


def test_a_rollback_has_the_status_of_the_new_deployment() -> None:
    info = RollbackInfo(rollback_triggering_deployment_id="d-000000001")
    for status, said in ((DeploymentStatus.CREATED, "CREATED"), (DeploymentStatus.IN_PROGRESS, "IN_PROGRESS")):
        subject, body = deployment_message(deployment(status, rollback=info), "DeploymentRollback", TOPIC, BEGIN)
        assert subject.startswith(f"{said}: ")
        assert body["status"] == said
        assert "deploymentOverview" not in body
        assert body["rollbackInformation"] == '{"RollbackTriggeringDeploymentId":"d-000000001"}'


def test_a_webhook_has_no_region_and_no_account() -> None:
    subject, body = deployment_message(deployment(DeploymentStatus.QUEUED), "DeploymentStart", "webhook:ops", BEGIN)
    assert subject == "CREATED: AWS CodeDeploy d-AB12CD34E in penstock to shop"
    assert (body["region"], body["accountId"], body["eventTriggerName"]) == ("penstock", None, "ops")


def test_an_instance_message_tells_its_lifecycle_events() -> None:
    target = Target(
        id="web-1",
        status=TargetStatus.FAILED,
        updated_at=END,
        lifecycle_events=(
            LifecycleEvent(name="ApplicationStop", status=EventStatus.SUCCEEDED, started_at=BEGIN, ended_at=END),
            LifecycleEvent(name="BeforeInstall", status=EventStatus.FAILED, started_at=END, ended_at=END),
            LifecycleEvent(name="AfterInstall", status=EventStatus.SKIPPED),
        ),
    )
    running = deployment(DeploymentStatus.IN_PROGRESS)
    subject, body = instance_message(running, target, "InstanceFailure", TOPIC, END)
    begin, end = "Thu Oct 13 15:50:45 UTC 2022", "Thu Oct 13 15:58:02 UTC 2022"
    assert subject == "FAILED: AWS CodeDeploy web-1 in eu-west-1 to shop"
    assert json.loads(body.pop("lifecycleEvents") or "") == [
        {
            "LifecycleEvent": "ApplicationStop",
            "LifecycleEventStatus": "Succeeded",
            "StartTime": begin,
            "EndTime": end,
        },
        {"LifecycleEvent": "BeforeInstall", "LifecycleEventStatus": "Failed", "StartTime": end, "EndTime": end},
        {"LifecycleEvent": "AfterInstall", "LifecycleEventStatus": "Skipped"},
    ]
    assert body == {
        "region": "eu-west-1",
        "accountId": "111122223333",
        "eventTriggerName": "deploys",
        "deploymentId": "d-AB12CD34E",
        "instanceId": "arn:aws:codedeploy:eu-west-1:111122223333:instance/web-1",
        "lastUpdatedAt": end,
        "instanceStatus": "FAILED",
    }


def test_an_instance_that_starts_is_in_progress() -> None:
    target = Target(id="web-1", status=TargetStatus.PENDING)
    _, body = instance_message(deployment(DeploymentStatus.IN_PROGRESS), target, "InstanceStart", "webhook:ops", BEGIN)
    assert body["instanceStatus"] == "IN_PROGRESS"
    assert body["lastUpdatedAt"] == "Thu Oct 13 15:50:45 UTC 2022"
    assert body["instanceId"] == "arn:aws:codedeploy:penstock::instance/web-1"
    assert body["lifecycleEvents"] == "[]"


def test_times_are_told_in_utc() -> None:
    tokyo = dt.datetime(2024, 3, 1, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    queued = deployment(DeploymentStatus.QUEUED, created_at=tokyo)
    _, body = deployment_message(queued, "DeploymentStart", TOPIC, END)
    assert body["createTime"] == "Thu Feb 29 19:05:06 UTC 2024"


def test_a_destination_is_told_once_of_events_that_its_triggers_name() -> None:
    both = settings(
        Trigger(to="webhook:ops", on=("DeploymentFailure", "DeploymentStop")),
        Trigger(to=TOPIC, on=("DeploymentStart", "DeploymentFailure")),
        Trigger(to="webhook:ops", on=("DeploymentFailure",)),
    )
    assert triggers_for(both, "DeploymentFailure") == ("webhook:ops", TOPIC)
    assert triggers_for(both, "DeploymentStart") == (TOPIC,)
    assert triggers_for(both, "InstanceSuccess") == ()


@pytest.mark.parametrize("to", ["sns:not-an-arn", "sns:arn:aws:sns:::topic", "webhook:a:b"])
def test_an_odd_destination_is_no_obstacle(to: str) -> None:
    _, body = deployment_message(deployment(DeploymentStatus.QUEUED), "DeploymentStart", to, BEGIN)
    assert body["region"] == "penstock"
    assert body["eventTriggerName"] == to.rsplit(":", 1)[-1]
