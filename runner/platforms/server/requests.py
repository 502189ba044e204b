"""A command as the request that a host understands. See `runner.host.request`, its other end."""

from pathlib import Path
from typing import Any

import msgspec

from runner.model.command import Command
from runner.model.revision import GitRevision, Revision


def request_for(command: Command, limits: dict[str, float]) -> dict[str, Any]:
    """Everything that the host needs for *command*, as plain JSON values; the offset of the log is left to the asker."""
    job = command.job
    return {
        "deployment": job.deployment_id,
        "group_id": job.group_id,
        "application": job.application,
        "group": job.group,
        "event": command.lifecycle_event,
        "attempt": command.attempt,
        "folder": str(Path(command.host.folder).absolute()),
        "appspec": msgspec.to_builtins(job.appspec),
        "appspec_file": job.appspec_file,
        "bundle": {
            "path": str(Path(job.bundle.path).absolute()),
            "type": job.bundle.bundle_type,
            "sha256": job.bundle.sha256,
        },
        "variables": revision_variables(job.revision),
        "environment": command.host.environment,
        "file_exists_behavior": job.file_exists_behavior,
        "limits": limits,
    }


def revision_variables(revision: Revision) -> dict[str, str]:
    """The variables that tell a hook which revision it belongs to. Source: user guide, "Environment variables"."""
    if isinstance(revision, GitRevision):
        return {"BUNDLE_COMMIT": revision.commit_id}
    found = {
        "BUNDLE_BUCKET": revision.bucket,
        "BUNDLE_KEY": revision.key,
        "BUNDLE_VERSION": revision.version,
        "BUNDLE_ETAG": revision.etag,
    }
    return {name: value for name, value in found.items() if value is not None}
