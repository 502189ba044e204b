"""What is Bitbucket's own way with pull requests: abbreviated commits, forks, tokens that nobody is behind, versions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from forge_previews import APPSPEC, CLOUD, DATA_CENTER, LISTS, World, now, text
from forge_stub import Forge
from forge_stub_bitbucket_pull_requests import LONGEST, SOMEBODY_ELSE
from local_git import git

from runner.errors import WorldError
from runner.forges import Forges
from runner.forges.markdown import BitbucketMarkup

MARKER = BitbucketMarkup().marker("plan")


@pytest.fixture
def cloud(tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge, to=CLOUD)
    yield made
    made.store.close()


@pytest.fixture
def data_center(tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge, to=DATA_CENTER)
    yield made
    made.store.close()


@pytest.fixture(params=[CLOUD, DATA_CENTER])
def either(request: pytest.FixtureRequest, tmp_path: Path, forge: Forge) -> Iterator[World]:
    made = World(tmp_path, forge, to=request.param)
    yield made
    made.store.close()


def test_the_build_status_is_the_pull_requests_and_leads_to_the_comment(either: World) -> None:
    head = either.propose({"a.sh": "echo 1\n"})
    either.previews.look("shop")
    build = either.forge.bitbucket.builds["acme/shop", head, "penstock/plan"]
    assert build["name"] == "penstock/plan"
    if either.to == CLOUD:
        assert build["refname"] == "topic"
        assert build["url"] == "https://bitbucket.org/acme/shop/pull-requests/7/_/diff#comment-1"
    else:
        assert build["parent"] == "penstock/plan"
        page = f"{either.forge.url}/projects/acme/repos/shop/pull-requests/7/overview?commentId=1"
        assert build["url"] == page


def test_the_whole_of_an_abbreviated_commit_is_asked_for_once(cloud: World) -> None:
    cloud.propose({"a.sh": "echo 1\n"})
    cloud.previews.look("shop")
    for each in (cloud.previews, cloud.new()):
        each.look("shop")
    assert len(cloud.forge.asked("GET", "/7/commits")) == 1


def test_many_new_pull_requests_are_told_in_several_looks(cloud: World) -> None:
    heads = [f"{number:x}" * 40 for number in range(16)] + [f"{number:x}b" * 20 for number in range(9)]
    for number, head in enumerate(heads):
        cloud.said.open("acme/shop", number, head)
        cloud.said.open("acme/shop", 100 + number, head, base="experiments")
    forges = Forges(cloud.config, now)
    first = [each.head for each in forges.open("shop")]
    assert first == heads[:4:-1]  # those that were touched last
    assert [each.head for each in forges.open("shop", first)] == heads[::-1]
    assert len([each for each in cloud.forge.exchanges if each.path.endswith("/commits")]) == 25


def test_more_pull_requests_than_a_page_has_are_all_listed(either: World) -> None:
    head = either.propose({"a.sh": "echo 1\n"})
    for number in range(100, 155):
        either.said.open("acme/shop", number, head)
    assert len(Forges(either.config, now).open("shop", [head])) == 56
    assert len(either.forge.asked("GET", LISTS[either.to])) == 2


def test_a_pull_request_whose_fork_is_gone_is_passed_over(cloud: World) -> None:
    cloud.propose({"a.sh": "echo 1\n"})
    cloud.said.open("acme/shop", 8, "d" * 40, fork="stranger/shop")
    cloud.said.gone_sources.add(8)
    assert cloud.previews.look("shop") == 1
    cloud.comment()
    assert cloud.said.of(8) == []


def test_what_only_a_fork_has_on_cloud_is_brought_from_there(cloud: World) -> None:
    foreign = in_a_fork(cloud)
    assert cloud.previews.look("shop") == 1
    assert f"{foreign[:10]} merged into main" in cloud.text()
    assert "Merging this deploys 1 application" in cloud.text()
    assert "inside" not in cloud.text()
    assert cloud.checks() == []  # the repository has no such commit


def test_a_fork_on_cloud_that_our_login_may_not_read_is_said_to_be_out_of_reach(cloud: World) -> None:
    in_a_fork(cloud)
    cloud.said.open("acme/shop", 7, "d" * 40, fork="private/shop")
    assert cloud.previews.look("shop") == 1
    assert "What merging this deploys cannot be said" in cloud.text()
    assert "its commits are in private/shop alone, and that cannot be read from here" in cloud.text()
    written = len(cloud.said.of(7))
    assert cloud.new().look("shop") == 0
    assert len(cloud.said.of(7)) == written


def test_a_fork_on_cloud_that_was_out_of_reach_is_looked_at_again(cloud: World) -> None:
    in_a_fork(cloud)
    fork = cloud.work.parent.parent / "stranger"
    fork.rename(fork.with_name("away"))
    assert cloud.previews.look("shop") == 1
    assert "cannot be read from here" in cloud.text()
    fork.with_name("away").rename(fork)
    assert cloud.new().look("shop") == 1  # nobody has pushed
    assert "Merging this deploys 1 application" in cloud.text()
    assert cloud.new().look("shop") == 0


def in_a_fork(world: World) -> str:
    """A pull request whose commit nobody but a fork has."""
    world.propose({"a.sh": "echo 1\n"}, fork="stranger/shop")
    fork = world.work.parent.parent / "stranger" / "shop"
    foreign = git(fork, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "a stranger's")
    git(fork, "update-ref", "refs/heads/topic", foreign)
    world.said.in_forks.update((foreign, "d" * 40))
    world.said.open("acme/shop", 7, foreign, fork="stranger/shop")
    return foreign


def test_a_token_that_nobody_is_behind_edits_its_own_comment_and_leaves_others_alone(either: World) -> None:
    either.said.tells_who_asks = False  # as with the access token of a repository
    either.said.say(7, f"{MARKER}\n\nall is well, merge me", by=SOMEBODY_ELSE)
    either.propose({"a.sh": "echo 1\n"})
    either.previews.look("shop")
    head = either.propose({"a.sh": "echo 2\n"})
    either.previews.look("shop")
    foreign, own = either.said.of(7)
    assert foreign.endswith("merge me")
    assert head[:10] in own


def test_a_comment_that_changed_meanwhile_is_read_again_and_edited(data_center: World) -> None:
    data_center.propose({"a.sh": "echo 1\n"})
    data_center.previews.look("shop")
    head = data_center.propose({"a.sh": "echo 2\n"})
    comment, versions = data_center.said.comments[0], iter((5, 6))

    def touch(method: str, path: str) -> None:
        if path.endswith("/activities"):
            comment["version"] = next(versions)

    data_center.forge.after_storing = touch
    assert data_center.previews.look("shop") == 1
    assert head[:10] in data_center.comment()
    assert [each.status for each in data_center.forge.exchanges if each.method == "PUT"] == [409, 200]


def test_a_comment_that_changes_all_the_time_is_tried_again_later(data_center: World) -> None:
    data_center.propose({"a.sh": "echo 1\n"})
    data_center.previews.look("shop")
    data_center.propose({"a.sh": "echo 2\n"})
    comment = data_center.said.comments[0]

    def touch(method: str, path: str) -> None:
        comment["version"] += 1

    data_center.forge.after_storing = touch
    with pytest.raises(WorldError, match="by somebody else at the same time"):
        data_center.previews.look("shop")
    data_center.forge.after_storing = lambda method, path: None
    assert data_center.previews.look("shop") == 1
    data_center.comment()


def test_a_comment_that_somebody_deleted_is_written_again(either: World) -> None:
    either.propose({"a.sh": "echo 1\n"})
    either.previews.look("shop")
    either.said.comments[0]["deleted"] = True
    either.propose({"a.sh": "echo 2\n"})
    either.previews.look("shop")
    either.comment()


def test_a_plan_of_very_many_applications_fits_into_a_comment(either: World) -> None:
    groups = "".join(f"  group-{number}:\n    targets: {{tags: {{app: web}}}}\n" for number in range(40))
    for name in (f"application-{number}" for number in range(20)):
        either.write(
            {f"{name}/penstock.yaml": text(application=name) + groups, f"{name}/appspec.yml": APPSPEC}, "topic"
        )
    either.propose({"README": "words\n"})
    either.previews.look("shop")
    assert len(either.comment()) <= LONGEST
    assert "There is no room here for" in either.text()


def test_a_fork_that_data_center_keeps_in_the_repository_is_planned(data_center: World) -> None:
    head = data_center.propose({"a.sh": "echo 1\n"}, fork="stranger/shop")
    git(data_center.work, "update-ref", "refs/pull-requests/7/from", head)
    git(data_center.work, "checkout", "--quiet", "main")
    git(data_center.work, "branch", "--quiet", "-D", "topic")
    assert data_center.previews.look("shop") == 1
    assert "Merging this deploys 1 application" in data_center.text()


def test_where_more_happened_than_is_read_no_second_comment_is_written(data_center: World) -> None:
    data_center.propose({"a.sh": "echo 1\n"})
    data_center.previews.look("shop")
    for number in range(5_000):
        data_center.said.say(7, f"talk {number}")
    data_center.propose({"a.sh": "echo 2\n"})
    with pytest.raises(WorldError):
        data_center.previews.look("shop")
    assert len(data_center.said.of(7)) == 5_001
