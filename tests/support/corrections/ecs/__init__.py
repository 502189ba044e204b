"""ECS with a scheduler: tasks of services and task sets run as processes, and states move within tenths of a second.

A service's tasks listen on 127.x.y.z and the container's port, are registered in the target groups (of type ip), and answer
with their task definition, unless a test lets another command run for their image (`run_image`). Only the container that a
load balancer asks runs; capacity, placement, EC2 instances and sidecars are not built.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from moto.ecs import models

from support.complaints import complain
from support.corrections.ecs import images, listings, services, task_sets
from support.corrections.ecs.fleet import FLEETS
from support.serial import LOCK

_TICK = 0.05  # seconds

DOOR: dict[str, Callable[..., Any]] = {
    "run_image": images.run_image,
    "accept_code_deploy": task_sets.accept_code_deploy,
}


def apply() -> None:
    services.apply()
    task_sets.apply()
    listings.apply()
    threading.Thread(target=_run, name="ecs-scheduler", daemon=True).start()


def reset() -> None:
    """Whatever runs is killed."""
    for fleet in FLEETS.values():
        fleet.end()
    FLEETS.clear()
    images.forget()
    task_sets.accept_code_deploy(False)


def _run() -> None:
    """Processes die with the thread that started them, so this one starts all."""
    while True:
        with LOCK:
            now = time.monotonic()
            for account in list(models.ecs_backends.values()):
                for backend in list(account.values()):
                    _tick(backend, now)
        time.sleep(_TICK)


def _tick(backend: models.EC2ContainerServiceBackend, now: float) -> None:
    for service in list(backend.services.values()):
        try:
            for each in [*service.task_sets, *service.deployments]:
                FLEETS[each["id"] if isinstance(each, dict) else each.id].tick(now)
            services.tick(service)
        except Exception:  # noqa: BLE001 - one service that cannot be run must not stop the others
            complain()
    _count(backend)


def _count(backend: models.EC2ContainerServiceBackend) -> None:
    for cluster in backend.clusters.values():
        own = [each for each in backend.services.values() if each.cluster_name == cluster.name]
        cluster.active_services_count = sum(each.status == "ACTIVE" for each in own)
        cluster.running_tasks_count = sum(each.running_count for each in own)
        cluster.pending_tasks_count = sum(each.pending_count for each in own)
