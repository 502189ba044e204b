"""Which bundles a host may fetch from us: those of its own deployments that are under way, and of the last few."""

from pathlib import Path

from runner.model.command import Job
from runner.model.revision import S3Revision
from runner.platforms.agents.specification import location
from runner.platforms.agents.specifications import JobOf
from runner.ports.agents import BundleAtHand, HostCommandStore

_DEPLOYMENTS = 16  # of one host


class BundlesOfHosts:
    """Implements port `HostBundles`."""

    def __init__(self, store: HostCommandStore, job_of: JobOf) -> None:
        self._store, self._job_of = store, job_of

    def find(self, host: str, authority: str, path: str, version: str | None) -> BundleAtHand | None:
        for deployment_id in self._store.deployments_of(host, _DEPLOYMENTS):
            job, _hosts = self._job_of(deployment_id)
            if _is_meant(job, authority, path, version) and Path(job.bundle.path).is_file():
                return BundleAtHand(job.bundle, _etag(job), location(job).get("Version"))
        return None


def _is_meant(job: Job, authority: str, path: str, version: str | None) -> bool:
    """Whether it is `/BUCKET/KEY`, or `/KEY` with the bucket as the first part of the host's name."""
    where = location(job)
    if version not in (None, where.get("Version")):
        return False
    in_path = path == f"/{where['Bucket']}/{where['Key']}"
    in_name = path == f"/{where['Key']}" and authority.lower().startswith(f"{where['Bucket'].lower()}.")
    return in_path or in_name


def _etag(job: Job) -> str:
    """The object's own, as the agent compares it with the specification's; else the content's."""
    own = job.revision.etag if isinstance(job.revision, S3Revision) else None
    return own or job.bundle.sha256
