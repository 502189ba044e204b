"""A merge that nobody has made yet: its files, as a deployment would read them."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from runner.errors import InvalidRevision, UserError
from runner.model.manifest import Manifest
from runner.model.program import TargetSpec
from runner.model.pull_request import PullRequest
from runner.model.revision import Revision, S3Revision
from runner.ports.pull_requests import MergeableRepository
from runner.render import appspec
from runner.render.specs import target_spec

_LONGEST = 1024 * 1024  # bytes of a document, as for deployments


class Merge(NamedTuple):
    """*merged*: the commit that merging *wanted* into *base* would be."""

    repository: MergeableRepository
    wanted: PullRequest
    base: str
    merged: str

    def script_seconds(self, wanted: Manifest) -> dict[str, int] | None:
        """How long the scripts of each lifecycle event may take on a host; None where the AppSpec is not in the commit.

        Raises `InvalidFiles`, `UserError` when there is no AppSpec.
        """
        if wanted.platform != "Server":
            return {}
        if wanted.revision is not None:
            return None
        path, text = self._document(wanted, wanted.appspec)
        spec, _warnings = appspec.parse(text, path)
        return {event: sum(script.timeout for script in scripts) for event, scripts in spec.hooks.items()}

    def specs(self, wanted: Manifest, revision: Revision) -> Mapping[str, TargetSpec]:
        """Per group what is done to its function or service; empty for servers."""
        if wanted.platform == "Server":
            return {}
        read = partial(self._read, wanted, revision)
        return {each.name: target_spec(revision, each, wanted.appspec, read) for each in wanted.groups}

    def _read(self, wanted: Manifest, revision: Revision, path: str) -> tuple[str, bytes]:
        if isinstance(revision, S3Revision):
            where = f"s3://{revision.bucket}/{revision.key}"
            raise UserError(f"its AppSpec is in S3 ({where}), which a preview does not read")
        return self._document(wanted, path)

    def _document(self, wanted: Manifest, path: str) -> tuple[str, bytes]:
        whole = f"{wanted.root}/{path}" if wanted.root else path
        text = self.repository.read(self.merged, whole)
        if text is None:
            raise UserError(f"{wanted.file}: the merge holds no {whole}; every deployment needs one")
        if len(text) > _LONGEST:
            raise InvalidRevision(f"{whole} is {len(text):,} bytes long; at most {_LONGEST:,} (1 MiB) are read")
        return whole, text
