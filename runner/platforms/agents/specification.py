"""What is deployed, as agents are told: the official agent's specification, and beside it what our own agent asks for.

Source of the members: the official agent's `DeploymentSpecification`; it ignores those that it does not know.
"""

import json
from typing import Any

import msgspec

from runner.model.command import Command, Job
from runner.model.executor import ExecutorSettings
from runner.model.revision import S3Revision
from runner.model.target import Host
from runner.plan.lifecycle import server_in_place
from runner.platforms.server.requests import limits_of, options_of, request_for

BUCKET = "penstock_bundles"  # no DNS name, for its underscore: the official agent then puts it into the path
_OURS = frozenset({"BlockTraffic", "AllowTraffic"})  # run on the control side


def content(job: Job) -> dict[str, Any]:
    """The specification of a deployment; the same for all its hosts."""
    return {
        "DeploymentId": job.deployment_id,
        "DeploymentGroupId": job.group_id,
        "DeploymentGroupName": job.group,
        "ApplicationName": job.application,
        "DeploymentCreator": job.creator,
        "DeploymentType": job.deployment_type,
        "AppSpecFilename": job.appspec_file,
        "AgentActionOverrides": {"AgentOverrides": {"FileExistsBehavior": job.file_exists_behavior}},
        "Revision": {"RevisionType": "S3", "S3Revision": {**location(job), "BundleType": job.bundle.bundle_type}},
    }


def content_for_ours(job: Job, host: Host, executor: ExecutorSettings) -> dict[str, Any]:
    """The same with what the executor on *host* is asked, but the event, the attempt, and where the bundle is."""
    event = Command(job=job, host=host, lifecycle_event="", attempt=1)
    request = request_for(event, limits_of(executor), options_of(executor), by_content=True)
    for member in ("event", "attempt"):
        del request[member]
    request["bundle"] = {name: value for name, value in request["bundle"].items() if name != "path"}
    request["creator"] = job.creator
    bundle = {name: value for name, value in location(job).items() if name != "ETag"}
    return content(job) | {
        "Penstock": {
            "host": host.name,
            "request": request,
            "events": events(job),
            "bundle": bundle | {"sha256": job.bundle.sha256, "size": job.bundle.size},
        }
    }


def events(job: Job) -> list[str]:
    """The lifecycle events that a host may be asked for."""
    return [each for each in server_in_place().behind(job.load_balancer) if each not in _OURS]


def location(job: Job) -> dict[str, str]:
    """Where agents fetch the bundle: an object in S3 under its own name, anything else under its SHA-256."""
    revision = job.revision
    if not isinstance(revision, S3Revision):
        return {"Bucket": BUCKET, "Key": f"{job.bundle.sha256}.{job.bundle.bundle_type}"}
    found = {"Bucket": revision.bucket, "Key": revision.key, "Version": revision.version, "ETag": revision.etag}
    return {name: value for name, value in found.items() if value}


def to_text(specification: dict[str, Any]) -> str:
    return json.dumps(msgspec.to_builtins(specification), ensure_ascii=False)
