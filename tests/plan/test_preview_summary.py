"""What is said of a pull request in one line, and of groups that nobody can plan beforehand."""

from store_cases import group, manifest

from runner.model.ec2 import Ec2Targets
from runner.model.manifest import After
from runner.model.pull_request import ApplicationPreview
from runner.plan.preview_summary import LONGEST_TEXT, gone, summary, unknown_groups


def named(name: str, refused: str = "") -> ApplicationPreview:
    return ApplicationPreview(application=name, file="penstock.yaml", refused=refused)


def test_what_is_deployed_is_counted_and_named() -> None:
    assert summary([named("a")], [], 0) == ("Deploys", "merging deploys 1 application: a")
    assert summary([named("a")], ["b"], 0) == ("Deploys", "merging deploys 2 applications: a, b")


def test_one_application_that_would_be_refused_keeps_all_from_being_deployed() -> None:
    state, text = summary([named("a"), named("b", "no host")], ["c"], 0)
    assert (state, text) == ("Refused", "nothing would be deployed: b would be refused")


def test_mistakes_come_first() -> None:
    assert summary([named("a")], [], 2) == ("Refused", "manifests have 2 mistakes: nothing would be deployed")


def test_nothing_is_said_to_be_nothing() -> None:
    assert summary([], [], 0) == ("Nothing", "merging deploys nothing")


def test_the_line_is_never_longer_than_a_status_may_be() -> None:
    _, text = summary([named("a" * 90), named("b" * 90)], [], 0)
    assert len(text) == LONGEST_TEXT
    assert text.endswith("...")


def test_groups_of_instances_in_ec2_are_unknown_and_so_is_what_comes_after_them() -> None:
    cloud = group("cloud", ec2=Ec2Targets(auto_scaling_groups=("web",)))
    later = group("later", after=After(group="cloud"))
    last = group("last", after=After(group="later"))
    found = unknown_groups(manifest(group("cellar"), cloud, later, last))
    assert list(found) == ["cloud", "later", "last"]
    assert found["cloud"].latest_end is found["last"].earliest_end is None
    assert "cloud" in found["later"].facts[0][1]


def test_applications_without_a_manifest_are_gone() -> None:
    before = [manifest(application="a"), manifest(application="b")]
    assert gone(before, before[1:]) == ("a",)
