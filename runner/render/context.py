"""What a commit brings to the templates of its manifests."""

from runner.model.revision import Commit
from runner.model.value import Value


class Context(Value, frozen=True, kw_only=True):
    """What a commit brings to its manifests.

    *branch*, *tag*: where the commit was seen; None makes the name undefined. *environment*: the variables that the
    runner's configuration allows, as `env.NAME`; None when no configuration is at hand, then any name is taken to be
    there and its value is not checked.
    """

    commit: Commit
    branch: str | None = None
    tag: str | None = None
    repository: str
    environment: dict[str, str] | None = {}


STAND_IN = Context(
    commit=Commit(
        id="0123456789abcdef0123456789abcdef01234567",
        author="Somebody <somebody@example.com>",
        message="A commit that stands in for yours\n",
        time="2000-01-01T00:00:00+00:00",
    ),
    branch="main",
    tag="v1.0.0",
    repository="repository",
    environment=None,
)
"""For checking manifests where no commit is at hand, so that undefined names are found all the same."""
