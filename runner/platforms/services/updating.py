"""What rolling updates and ECS's own blue/green have in common: one UpdateService, asked for once."""

from typing import Any

from runner.platforms.services.service import Service
from runner.platforms.services.work import Work


def update(work: Work, service: Service, task_definition: str) -> None:
    """Ask ECS to replace the service's tasks; also when they have that task definition already. Blocks.

    What the revision does not say stays as the service has it.
    """
    spec = work.spec
    params: dict[str, Any] = {
        "cluster": spec.cluster,
        "service": spec.service,
        "taskDefinition": task_definition,
        "forceNewDeployment": service.shown.get("taskDefinition") == task_definition,
    }
    if work.task.job.restoring is None:
        params |= {"networkConfiguration": spec.network} if spec.network else {}
        params |= {"platformVersion": spec.platform_version} if spec.platform_version else {}
        params |= {"capacityProviderStrategy": list(spec.capacity_providers)} if spec.capacity_providers else {}
    work.calls.ecs("update_service", **params)
    work.changed()
    work.say(f"asked ECS to run {task_definition}")


def counts(shown: dict[str, Any]) -> str:
    """`2 of 4 tasks run, 1 pending, 3 failed` of a deployment that ECS drives."""
    failed = shown.get("failedTasks", 0)
    more = f", {failed} failed" if failed else ""
    running, wanted, pending = (shown.get(f"{name}Count", 0) for name in ("running", "desired", "pending"))
    return f"{running} of {wanted} tasks run, {pending} pending{more}"
