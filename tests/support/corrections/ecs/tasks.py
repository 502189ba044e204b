"""One task of a service: from its start to its last breath, with its targets in the target groups."""

import uuid
from typing import Any

from moto.core.utils import utcnow
from moto.ecs import models

from support.corrections import elbv2
from support.corrections.ecs.images import command_for, environment_of
from support.corrections.ecs.process import Process
from support.corrections.ecs.words import note
from support.probes import FASTER

_STARTED_WITHIN = 2.0  # seconds; a container that never listens is RUNNING then, as it would be in ECS at once
_STOPS_WITHIN = 3.0  # seconds from SIGTERM to SIGKILL; 30 in ECS
_DEFAULT_PORT = 8080


class RunningTask:
    """Call `watch` often. *order*: what the service, a task set or a deployment, says about its tasks."""

    def __init__(self, backend: models.EC2ContainerServiceBackend, service: models.Service, order: "Order") -> None:
        definition = backend.describe_task_definition(order.task_definition)
        self._service, self._balancers = service, order.load_balancers
        self.task = _describe(backend, service, order, definition)
        self._process = _start(definition, order.load_balancers)
        _show_address(self.task, self._process.host)
        self._started: float | None = None
        self._terminated: float | None = None
        self._grace_until = 0.0
        self.failed = False  # ended, or was ended, because something was wrong with it
        backend.tasks.setdefault(service.cluster_name, {})[self.task.task_arn] = self.task

    @property
    def state(self) -> str:
        """PENDING, RUNNING, DEACTIVATING, STOPPING, STOPPED"""
        return str(self.task.last_status)

    @property
    def id(self) -> str:
        return str(self.task.id)

    def watch(self, now: float) -> None:
        """Take it one step further, if it is time."""
        self._started = self._started or now
        if self.state == "STOPPED":
            return
        code = self._process.exit_code()
        if code is not None:
            self._ended(code)
        elif self.state == "PENDING":
            if self._process.is_listening() or now - self._started > _STARTED_WITHIN:
                self._run(now)
        elif self.state == "RUNNING":
            self._check_targets(now)
        elif self.state == "DEACTIVATING":
            if not self._is_draining():
                self._enter("STOPPING")
                self._terminated = now
                self._process.terminate()
        elif self._terminated is not None and now - self._terminated > _STOPS_WITHIN:
            self._process.kill()

    def stop(self, reason: str, code: str = "ServiceSchedulerInitiated") -> None:
        """Out of the target groups first, and then to its end."""
        if self.task.desired_status == "STOPPED":
            return
        self.task.desired_status, self.task.stopped_reason, self.task.stop_code = "STOPPED", reason, code
        self.task.stopping_at = utcnow()
        self._deregister()
        self._enter("DEACTIVATING")

    def is_healthy(self) -> bool:
        """RUNNING, and no load balancer that asks it is of another mind."""
        return self.state == "RUNNING" and all(state in ("healthy", "unused") for _, state in self._targets())

    def end(self) -> None:
        """At once, and whatever it does."""
        self._process.end()

    def _run(self, now: float) -> None:
        self._enter("RUNNING")
        self._grace_until = now + float(self._service.health_check_grace_period_seconds or 0) / FASTER
        self.task.started_at, self.task.connectivity = utcnow(), "CONNECTED"
        for balancer in self._balancers:
            group = elbv2.find_group(balancer["targetGroupArn"])
            if group is not None:
                group.register([{"Id": self._process.host, "Port": self._process.port}])
                note(self._service, f"registered 1 targets in (target-group {group.arn})")

    def _check_targets(self, now: float) -> None:
        for group, state in self._targets():
            if state == "unhealthy" and now >= self._grace_until:
                target = group.health_for({"Id": self._process.host}, group.ec2_backend)
                why = f"(port {self._process.port}) is unhealthy in (target-group {group.arn}) due to"
                note(self._service, f"{why} (reason {target.description})")
                self.failed = True
                self.stop(f"Task failed ELB health checks in (target-group {group.arn})")
                return

    def _targets(self) -> list[tuple[Any, str]]:
        groups = [elbv2.find_group(each["targetGroupArn"]) for each in self._balancers]
        return [(group, elbv2.state_of(group, self._process.host)) for group in groups if group is not None]

    def _is_draining(self) -> bool:
        return any(state == "draining" for _, state in self._targets())

    def _deregister(self) -> None:
        for group, state in self._targets():
            if state not in ("draining", "unavailable"):
                group.deregister([{"Id": self._process.host}])

    def _ended(self, code: int) -> None:
        if self.task.desired_status != "STOPPED":
            self.failed = True
            self.task.stopped_reason, self.task.stop_code = (
                "Essential container in task exited",
                "EssentialContainerExited",
            )
            self.task.desired_status = "STOPPED"
            self._deregister()
        self.task.containers[0].exit_code = self.task.containers[0].exitCode = code
        self.task.stopped_at = self.task.execution_stopped_at = utcnow()
        self._enter("STOPPED")

    def _enter(self, state: str) -> None:
        self.task.last_status = state
        for container in self.task.containers:
            container.last_status = "STOPPED" if state == "STOPPED" else "RUNNING" if state != "PENDING" else state


class Order:
    """What tasks of a task set or a deployment are like. *owner*: its ID. *network*: networkConfiguration, or None."""

    def __init__(
        self,
        *,
        owner: str,
        task_definition: str,
        load_balancers: list[dict[str, Any]],
        network: dict[str, Any] | None,
        launch_type: str | None,
        platform_version: str | None,
    ) -> None:
        self.owner, self.task_definition = owner, task_definition
        self.load_balancers = [each for each in load_balancers if each.get("targetGroupArn")]
        self.network, self.launch_type, self.platform_version = network, launch_type, platform_version


def _describe(
    backend: models.EC2ContainerServiceBackend, service: models.Service, order: Order, definition: models.TaskDefinition
) -> models.Task:
    task = models.Task(
        cluster=backend.clusters[service.cluster_name],
        task_definition=definition,
        container_instance_arn=None,
        resource_requirements=None,
        backend=backend,
        group=f"service:{service.name}",
        launch_type=order.launch_type or "",
        started_by=order.owner,
        networking_configuration=order.network,
        platform_version=order.platform_version,
        tags=list(service.tags) if service.propagate_tags == "SERVICE" else [],
    )
    task._transitions = []  # moto would let it move on by being looked at
    task.last_status, task.created_at, task.cpu, task.memory = "PENDING", utcnow(), definition.cpu, definition.memory
    task.containers = [_container(task, definition, each) for each in definition.container_definitions]
    return task


def _container(task: models.Task, definition: models.TaskDefinition, wanted: dict[str, Any]) -> models.Container:
    container = models.Container(definition)
    container.name, container.image, container.task_arn = wanted["name"], wanted["image"], task.task_arn
    container.last_status, container.exitCode = "PENDING", None
    container.image_digest = wanted["image"].partition("@")[2] or None
    return container


def _start(definition: models.TaskDefinition, balancers: list[dict[str, Any]]) -> Process:
    """The container that a load balancer asks, else the first; the others do not run."""
    wanted = balancers[0].get("containerName") if balancers else None
    containers = definition.container_definitions
    container = next((each for each in containers if each["name"] == wanted), containers[0])
    mapped = [each["containerPort"] for each in container.get("portMappings") or [] if "containerPort" in each]
    port = int((balancers[0].get("containerPort") if balancers else None) or next(iter(mapped), _DEFAULT_PORT))
    names = {"TASK_DEFINITION": f"{definition.family}:{definition.revision}"}
    return Process(command_for(container["image"]), port, {**environment_of(container), **names})


def _show_address(task: models.Task, host: str) -> None:
    for attachment in task.attachments:
        for detail in attachment["details"]:
            if detail["name"] == "privateIPv4Address":
                detail["value"] = host
    attached = task.attachments[0]["id"] if task.attachments else str(uuid.uuid4())
    for container in task.containers:
        container.network_interfaces = [{"attachmentId": attached, "privateIpv4Address": host}]
