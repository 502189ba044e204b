"""Whether a blue/green deployment can be undone by moving the traffic back: what it left must still be there.

Everything here blocks and only reads.
"""

import msgspec

from runner.errors import Refused
from runner.model.services import EcsSpec, EcsState, TaskSet
from runner.platforms.services import entrances
from runner.platforms.services.calls import Calls
from runner.platforms.services.creating import OURS
from runner.platforms.services.forwarding import is_on
from runner.platforms.services.routes import entries
from runner.platforms.services.service import Service, seen


def undoable(calls: Calls, spec: EcsSpec, service: Service, left: EcsState) -> EcsState:
    """*left*, as it is now. Raises `Refused` when the original is gone, or somebody else has changed the way to it."""
    if left.controller == "ECS":
        if left.original is None or not left.original.task_definition:
            raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
        return left
    original = _original(spec, service, left)
    if foreign := entrances.check(calls, entrances.back(left, entries(spec.routes, left))):
        raise Refused("ELASTIC_LOAD_BALANCING_INVALID", foreign)
    return msgspec.structs.replace(left, original=original, replacement=_replacement(service, left))


def _original(spec: EcsSpec, service: Service, left: EcsState) -> TaskSet:
    shown = service.find(left.original.id) if left.original else None
    if left.original is None or shown is None or shown["status"] == "DRAINING":
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"the original task set {left.original.id if left.original else ''} of service {spec.service} is gone, so "
            "traffic cannot go back to it; deploy the earlier revision instead",
        )
    return seen(service, shown, "Blue", left.original.weight, left.original.target_group)


def _replacement(service: Service, left: EcsState) -> TaskSet | None:
    """The deployment may have died between making its task set and saying so."""
    if left.replacement is not None:
        shown = service.find(left.replacement.id)
        return seen(service, shown, "Green", left.weight, left.replacement.target_group) if shown else left.replacement
    return left_behind(service, left)


def left_behind(service: Service, left: EcsState) -> TaskSet | None:
    """A task set that nobody has reported: it is in the replacement's place, and one of our deployments made it."""
    for shown in service.task_sets:
        made_by_us = OURS.fullmatch(shown.get("externalId") or "") and shown["status"] != "PRIMARY"
        if made_by_us and any(is_on(shown, green) for _, green in left.pairs):
            return seen(service, shown, "Green", left.weight, left.pairs[0][1])
    return None
