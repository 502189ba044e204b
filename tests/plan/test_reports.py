"""Which deployments are reported, and in which words."""

import datetime as dt
from typing import Any

import pytest

from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, Overview, RollbackInfo
from runner.model.manifest import GroupSettings, TriggerEvent
from runner.model.report import Reporting
from runner.model.revision import GitHubRevision, GitRevision, ImageRevision, S3Revision
from runner.model.rollout import Rollout
from runner.plan.reports import LONGEST_TEXT, Origin, is_reported, origin_of, reporting_of, reports

COMMIT = "a" * 40
SHOP = Reporting(repository="shop", forge="github", github="acme/shop")
BLOG = Reporting(repository="blog", forge="bitbucket")


def deployment(**changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "id": "d-AB12CD34E",
        "application": "api",
        "group": "production",
        "group_id": "g",
        "revision": GitRevision(repository="shop", commit_id=COMMIT),
        "settings": GroupSettings(name="production", rollout=Rollout(name="CodeDeployDefault.OneAtATime")),
        "creator": "CodeDeploy",
        "status": DeploymentStatus.IN_PROGRESS,
        "created_at": dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    }
    return Deployment(**{**fields, **changes})


def text(event: TriggerEvent, **changes: Any) -> str:
    (report,) = reports(deployment(**changes), event, Origin("blog", COMMIT), BLOG)
    return report.text


def test_the_commit_is_that_of_the_revision() -> None:
    assert origin_of(deployment()) == Origin("shop", COMMIT)
    image = ImageRevision(repository="r/api", tag="1", digest="sha256:0", commit_id=COMMIT, git="shop")
    assert origin_of(deployment(revision=image)) == Origin("shop", COMMIT)
    on_github = GitHubRevision(repository="Acme/Shop", commit_id=COMMIT)
    assert origin_of(deployment(revision=on_github)) == Origin("acme/shop", COMMIT, on_github=True)
    assert origin_of(deployment(revision=S3Revision(bucket="b", key="k", bundle_type="zip"))) is None


def test_a_repository_is_found_by_its_name_here_or_at_github() -> None:
    assert reporting_of(Origin("shop", COMMIT), (BLOG, SHOP)) == SHOP
    assert reporting_of(Origin("acme/shop", COMMIT, on_github=True), (BLOG, SHOP)) == SHOP
    assert reporting_of(Origin("acme/shop", COMMIT), (BLOG, SHOP)) is None
    assert reporting_of(Origin("other", COMMIT), (BLOG, SHOP)) is None


def test_what_a_launched_instance_gets_says_nothing_of_the_commit() -> None:
    assert is_reported(deployment(), "DeploymentStart")
    assert not is_reported(deployment(), "InstanceFailure")
    for creator in ("autoscaling", "autoscalingTermination", "CodeDeployAutoUpdate"):
        assert not is_reported(deployment(creator=creator), "DeploymentFailure")


def test_github_is_told_of_the_deployment_too() -> None:
    made = reports(deployment(), "DeploymentStart", Origin("shop", COMMIT), SHOP)
    assert [(each.kind, each.state, each.repository) for each in made] == [
        ("status", "Running", "shop"),
        ("deployment", "Running", "shop"),
    ]


def test_data_center_is_told_of_the_deployment_too_and_cloud_is_not() -> None:
    centre = Reporting(repository="shop", forge="bitbucket-data-center")
    made = reports(deployment(), "DeploymentStart", Origin("shop", COMMIT), centre)
    assert [each.kind for each in made] == ["status", "deployment"]
    assert [each.kind for each in reports(deployment(), "DeploymentStart", Origin("blog", COMMIT), BLOG)] == ["status"]


def test_the_number_of_a_deployment_stays_and_that_of_a_later_one_is_larger() -> None:
    def number(event: TriggerEvent, **changes: Any) -> int:
        return reports(deployment(**changes), event, Origin("shop", COMMIT), SHOP)[1].number

    first = number("DeploymentStart")
    assert first == number("DeploymentSuccess", started_at=dt.datetime(2030, 1, 2, tzinfo=dt.UTC))
    later = dt.datetime(2030, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=1)
    assert first < number("DeploymentStart", created_at=later) < 2**53


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("DeploymentStart", "d-AB12CD34E has begun"),
        ("DeploymentReady", "d-AB12CD34E waits for somebody to let its traffic move"),
        ("DeploymentSuccess", "d-AB12CD34E succeeded: 3 done, 1 failed, 0 skipped"),
        ("DeploymentFailure", "d-AB12CD34E failed: 2 of 4 hosts failed"),
        ("DeploymentStop", "d-AB12CD34E stopped: 2 of 4 hosts failed"),
    ],
)
def test_each_report_is_a_sentence(event: TriggerEvent, said: str) -> None:
    error = ErrorInformation(code="HEALTH_CONSTRAINTS", message="2 of 4\nhosts failed")
    assert text(event, overview=Overview(Succeeded=3, Failed=1), error=error) == said


def test_a_rollback_says_what_it_rolls_back() -> None:
    back = RollbackInfo(rollback_triggering_deployment_id="d-000000001")
    assert text("DeploymentStart", rollback=back) == "d-AB12CD34E, rolling back d-000000001, has begun"


def test_long_errors_are_cut_to_what_github_takes() -> None:
    said = text("DeploymentFailure", error=ErrorInformation(code="C", message="x" * 500))
    assert len(said) == LONGEST_TEXT
    assert said.endswith("xxx...")
