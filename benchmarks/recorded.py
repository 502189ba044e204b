"""A deployment that stands in a store, of a revision that nobody fetches: for what measures the store or the desk alone."""

import datetime as dt

from runner.model.deployment import Options
from runner.model.manifest import GroupSettings, Manifest, Watch
from runner.model.revision import Bundle, GitRevision
from runner.model.rollout import MinimumHealthyHosts, Rollout
from runner.model.work import Wish
from runner.store.store import Store

REVISION = GitRevision(repository="shop", commit_id="0" * 40)
BUNDLE = Bundle(path="/bundle", bundle_type="tar", sha256="0" * 64, size=1)

_EVERYTHING = MinimumHealthyHosts(type="HOST_COUNT", value=0)
_MANIFEST = Manifest(
    application="shop",
    platform="Server",
    file="penstock.yaml",
    root="",
    watch=Watch(),
    revision=None,
    appspec="appspec.yml",
    groups=(GroupSettings(name="all", rollout=Rollout(name="AllAtOnce", minimum_healthy=_EVERYTHING)),),
)


def record(store: Store, now: dt.datetime) -> str:
    """Create it, in the group `all` of the application `shop`, all hosts at once. Returns its ID."""
    (made,) = store.create_releases("shop", [Wish(manifest=_MANIFEST, revision=REVISION)], "user", Options(), now)
    return made
