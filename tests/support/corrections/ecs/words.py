"""ECS in its own words: errors, ARNs, service events, and the shapes that moto has no class for."""

import random
import uuid
from typing import Any

from moto.core.utils import utcnow
from moto.ecs.exceptions import ECSException

_EVENTS = 100  # API reference, Service.events: "A maximum of 100 of the latest events are displayed."


def invalid(message: str) -> ECSException:
    return ECSException("InvalidParameterException", message)


def no_task_set() -> ECSException:
    return ECSException("TaskSetNotFoundException", "The specified task set does not exist.")


def not_active() -> ECSException:
    return ECSException("ServiceNotActiveException", "Service was not ACTIVE.")


def deployment_id() -> str:
    return f"ecs-svc/{random.randint(10**18, 10**19 - 1)}"


def arn(service: Any, kind: str) -> str:
    """Of a "service-deployment" or "service-revision" of *service*."""
    parts = service.arn.split(":")
    return ":".join([*parts[:5], f"{kind}/{service.cluster_name}/{service.name}/{random.randint(10**18, 10**19 - 1)}"])


def note(service: Any, message: str) -> None:
    """Adds a service event, newest first; never the same one twice in a row."""
    said = f"(service {service.name}) {message}"
    if not service.events or service.events[0]["message"] != said:
        service.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": utcnow(), "message": said})
        del service.events[_EVENTS:]
