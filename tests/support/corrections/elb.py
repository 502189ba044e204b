"""Classic load balancers: instances are OutOfService until real checks pass, and drain when they are taken out.

    apply()   # once per process that serves moto

Where instances really listen: `support.probes.place_instance`. Draining is a hundred times as fast as configured.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.elb import models, responses
from moto.elb.exceptions import ELBClientError, NoActiveLoadBalancerFoundError

from support.probes import Check, Health, Prober, Watched, place

DRAIN_FASTER = 100

_IN_SERVICE = ("InService", "N/A", "N/A")
_STATES = {
    "initial": ("OutOfService", "ELB", "Instance registration is still in progress."),
    "checked": (
        "OutOfService",
        "Instance",
        "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
    ),
    "unhealthy": (
        "OutOfService",
        "Instance",
        "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
    ),
    "stopped": ("OutOfService", "Instance", "Instance is in stopped state."),
    "healthy": _IN_SERVICE,
    "draining": ("InService", "N/A", "Instance deregistration currently in progress."),
}
_DEFAULT_CHECK = models.FakeHealthCheck("5", "10", "2", "30", "TCP:80")  # user guide: the defaults of its API


def apply() -> None:
    backend, response = models.ELBBackend, responses.ELBResponse
    backend.register_instances = _registering(backend.register_instances)
    backend.deregister_instances = _deregistering(backend.deregister_instances)
    response.register_instances_with_load_balancer = _told(response.register_instances_with_load_balancer)
    response.deregister_instances_from_load_balancer = _told(response.deregister_instances_from_load_balancer)
    response.describe_instance_health = _describe_instance_health
    Prober(_watched, "instance-health")


def _registering(original: Callable[..., Any]) -> Callable[..., Any]:
    def register_instances(
        self: models.ELBBackend, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: bool = False
    ) -> models.LoadBalancer:
        balancer, wanted = _find(self, load_balancer_name), list(instance_ids)
        if not from_autoscaling:
            _check_instances(self, wanted)
        new = [each for each in dict.fromkeys(wanted) if each not in balancer.instance_ids]
        for instance in new:
            _healths(balancer).pop(instance, None)
            _drains(balancer).pop(instance, None)
        return original(self, load_balancer_name, new, from_autoscaling)

    return register_instances


def _deregistering(original: Callable[..., Any]) -> Callable[..., Any]:
    def deregister_instances(
        self: models.ELBBackend, load_balancer_name: str, instance_ids: Iterable[str], from_autoscaling: bool = False
    ) -> models.LoadBalancer:
        balancer, wanted = _find(self, load_balancer_name), list(instance_ids)
        if not from_autoscaling:
            _check_instances(self, wanted)
        for instance in wanted:
            if instance in balancer.instance_ids:
                _drains(balancer)[instance] = time.monotonic() + _draining_time(balancer)
        return original(self, load_balancer_name, wanted, from_autoscaling)

    return deregister_instances


def _draining_time(balancer: models.LoadBalancer) -> float:
    """Seconds."""
    draining = balancer.attributes["connection_draining"]
    on = str(draining.get("enabled", draining.get("Enabled", False))).lower() == "true"
    return float(draining.get("timeout", draining.get("Timeout", 300))) / DRAIN_FASTER if on else 0.0


def _told(original: Callable[..., ActionResult]) -> Callable[..., ActionResult]:
    """Both answer with the instances that are registered then."""

    def answer(self: responses.ELBResponse) -> ActionResult:
        original(self)
        balancer = self.elb_backend.get_load_balancer(self._get_param("LoadBalancerName"))
        return ActionResult({"Instances": balancer.instances})

    return answer


def _describe_instance_health(self: responses.ELBResponse) -> ActionResult:
    balancer = _find(self.elb_backend, self._get_param("LoadBalancerName"))
    asked = [each["InstanceId"] for each in self._get_param("Instances", [])]
    for instance in asked:
        if instance not in balancer.instance_ids and not _is_draining(balancer, instance):
            raise _invalid(instance)
    draining = [each for each in _drains(balancer) if _is_draining(balancer, each)]
    told = asked or [*balancer.instance_ids, *(each for each in draining if each not in balancer.instance_ids)]
    return ActionResult({"InstanceStates": [_state(self.elb_backend, balancer, each) for each in told]})


def _state(backend: models.ELBBackend, balancer: models.LoadBalancer, instance: str) -> dict[str, str]:
    state, reason, description = _STATES[_condition(backend, balancer, instance)]
    return {"InstanceId": instance, "State": state, "ReasonCode": reason, "Description": description}


def _condition(backend: models.ELBBackend, balancer: models.LoadBalancer, instance: str) -> str:
    if instance not in balancer.instance_ids:
        return "draining"
    known = _ec2(backend).get_instance_by_id(instance)
    if known is None or not known.is_running():
        return "stopped"
    health = _health(balancer, instance)
    return "checked" if health.state == "initial" and health.asked else health.state


def _find(backend: models.ELBBackend, name: str) -> models.LoadBalancer:
    balancer = backend.get_load_balancer(name)
    if balancer is None:
        raise NoActiveLoadBalancerFoundError(name=name)
    return balancer


def _check_instances(backend: models.ELBBackend, instances: list[str]) -> None:
    for instance in instances:
        if _ec2(backend).get_instance_by_id(instance) is None:
            raise _invalid(instance)


def _invalid(instance: str) -> ELBClientError:
    return ELBClientError("InvalidInstance", f"Could not find EC2 instance {instance}.")


def _ec2(backend: models.ELBBackend) -> Any:
    return ec2_backends[backend.account_id][backend.region_name]


def _is_draining(balancer: models.LoadBalancer, instance: str) -> bool:
    return time.monotonic() < _drains(balancer).get(instance, 0.0)


def _drains(balancer: models.LoadBalancer) -> dict[str, float]:
    """Per instance when its draining ends (monotonic)."""
    return balancer.__dict__.setdefault("drains", {})


def _healths(balancer: models.LoadBalancer) -> dict[str, Health]:
    return balancer.__dict__.setdefault("healths", {})


def _health(balancer: models.LoadBalancer, instance: str) -> Health:
    check = balancer.health_check or _DEFAULT_CHECK
    up, down = int(check.healthy_threshold), int(check.unhealthy_threshold)
    return _healths(balancer).setdefault(instance, Health(first=up, up=up, down=down, interval=float(check.interval)))


def _watched() -> Iterator[Watched]:
    for account in list(models.elb_backends.values()):
        for backend in list(account.values()):
            for balancer in list(backend.load_balancers.values()):
                for instance in balancer.instance_ids:
                    yield Watched(_health(balancer, instance), _check(balancer, instance))


def _check(balancer: models.LoadBalancer, instance: str) -> Check | None:
    """Of a target like "HTTP:8080/healthz" or "TCP:22"."""
    how = balancer.health_check or _DEFAULT_CHECK
    protocol, _, rest = how.target.partition(":")
    port, slash, path = rest.partition("/")
    found = place(instance, int(port))
    return found and Check(
        protocol=protocol, host=found[0], port=found[1], path=slash + path or "/", timeout=float(how.timeout)
    )
