"""Which heads of a repository concern us: the runner's configuration says so by globs. Pure."""

from collections.abc import Mapping

from runner.config import RepositoryConfig
from runner.plan.refs import matches

_BRANCH = "refs/heads/"
_TAG = "refs/tags/"


def selected(heads: Mapping[str, str], config: RepositoryConfig) -> dict[str, str]:
    """The *heads* (full ref name to commit ID) that match *branches* or *tags* of *config*; all else is left out.

    `*` and `?` stay within one part of a name, `**` crosses `/`: `release/*` takes release/1, not release/2/fix.
    """
    return {ref: commit_id for ref, commit_id in heads.items() if _is_selected(ref, config)}


def _is_selected(ref: str, config: RepositoryConfig) -> bool:
    for prefix, patterns in ((_BRANCH, config.branches), (_TAG, config.tags)):
        if ref.startswith(prefix):
            return any(matches(pattern, ref.removeprefix(prefix)) for pattern in patterns)
    return False
