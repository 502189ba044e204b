"""What tells revisions apart, and which platform takes which."""

import itertools

import pytest

from runner.errors import InvalidRevision
from runner.model.revision import AppSpecRevision, GitHubRevision, GitRevision, S3Revision
from runner.plan.revisions import check_platform, identity

ZIP = S3Revision(bucket="b", key="k", bundle_type="zip")
YAML = S3Revision(bucket="b", key="k", bundle_type="YAML")
GITHUB = GitHubRevision(repository="o/n", commit_id="a" * 40)
GIT = GitRevision(repository="n", commit_id="a" * 40)
APPSPEC = AppSpecRevision(content="x", sha256="1" * 64)
STRING = AppSpecRevision(content="x", sha256="1" * 64, legacy=True)

DIFFERENT = [
    ZIP,
    YAML,
    S3Revision(bucket="b", key="k", bundle_type="zip", etag="x"),
    S3Revision(bucket="b", key="k", bundle_type="zip", version="x"),
    S3Revision(bucket="k", key="b", bundle_type="zip"),
    GITHUB,
    GitHubRevision(repository="o/n", commit_id="b" * 40),
    GIT,
    GitRevision(repository="n", commit_id="a" * 40, root="web"),
    APPSPEC,
    STRING,
]


def test_every_member_that_is_given_tells_revisions_apart() -> None:
    pairs = itertools.combinations(DIFFERENT, 2)
    assert [(one, two) for one, two in pairs if identity(one) == identity(two)] == []


def test_what_asked_for_it_and_the_text_behind_a_digest_do_not() -> None:
    asked = S3Revision(bucket="b", key="k", bundle_type="zip", commit_id="c" * 40)
    assert identity(asked) == identity(ZIP)
    assert identity(AppSpecRevision(content="", sha256="1" * 64)) == identity(APPSPEC)


@pytest.mark.parametrize(
    ("platform", "takes"),
    [("Server", {"ZIP", "GITHUB", "GIT"}), ("Lambda", {"YAML", "APPSPEC", "STRING"}), ("ECS", {"YAML", "APPSPEC"})],
)
def test_each_platform_takes_its_own(platform: str, takes: set[str]) -> None:
    taken = set()
    for name in ("ZIP", "YAML", "GITHUB", "GIT", "APPSPEC", "STRING"):
        try:
            check_platform(globals()[name], platform)  # type: ignore[arg-type]
        except InvalidRevision:
            continue
        taken.add(name)
    assert taken == takes
