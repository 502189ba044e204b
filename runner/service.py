"""The verbs that people use on deployments: create, stop, continue, roll back, redeploy, describe, forecast."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from runner.config import InstancesConfig, LoadBalancerConfig
from runner.errors import DeploymentAlreadyCompleted, DeploymentGroupDoesNotExist, UserError
from runner.model.deployment import BESIDE, UNFINISHED, Deployment, DeploymentStatus, Options
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.journal import Entry
from runner.model.manifest import GroupSettings, Manifest
from runner.model.program import TargetSpec, TargetState
from runner.model.revision import Revision
from runner.model.services import EcsState
from runner.model.status import State
from runner.model.target import Host, InstanceHealth, Target
from runner.model.value import Value
from runner.model.work import Wish
from runner.plan.batches import compile_rollout, deployment_order
from runner.plan.fleets import of_fleet, sides
from runner.plan.forecast import Forecast as Forecast
from runner.plan.forecast import TrafficForecast as TrafficForecast
from runner.plan.lifecycle import server_blue_green, server_in_place
from runner.plan.programs import compile_program
from runner.plan.targets import choose
from runner.plan.traffic import check_load_balancer
from runner.ports import Clock, ServiceStore


class Description(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Everything about one deployment."""

    deployment: Deployment
    targets: tuple[Target, ...]
    journal: tuple[Entry, ...]


class Service:
    """One method a verb. What they ask for is recorded here and carried out by the driver, wherever that runs."""

    def __init__(
        self,
        store: ServiceStore,
        hosts: Callable[[], Iterable[Host]],
        clock: Clock,
        load_balancers: Iterable[LoadBalancerConfig] = (),
        instances: Callable[[GroupSettings], Iterable[Host]] = lambda settings: (),
        of_instances: InstancesConfig | None = None,
    ) -> None:
        """*instances*: those that a group has in a cloud, and *of_instances* what is configured about them."""
        self._instances, self._of_instances = instances, of_instances or InstancesConfig()
        self._store, self._hosts, self._clock = store, hosts, clock
        self._load_balancers = {each.name: each for each in load_balancers}

    def create(self, repository: str, *wanted: Wish, options: Options | None = None) -> list[str]:
        """Deploy every wish, or nothing when one of them is refused. Returns the deployments' IDs, in order."""
        for wish in wanted:
            self._check_groups(wish.manifest, wish.groups)
        return self._store.create_releases(repository, wanted, "user", options or Options(), self._clock())

    def forecast(
        self,
        manifest: Manifest,
        revision: Revision,
        groups: Sequence[str] = (),
        specs: Mapping[str, TargetSpec] | None = None,
    ) -> list[Forecast | TrafficForecast]:
        """What `create` would do. Raises what the deployment would fail with before it touched a host.

        *specs*: per group what it does to its function or service; there are none for servers.
        """
        self._check_groups(manifest, groups)
        chosen = [settings for settings in manifest.groups if not groups or settings.name in groups]
        if manifest.platform == "Server":
            return [self._forecast(manifest, settings, revision) for settings in chosen]
        return [self._forecast_traffic(manifest, each, revision, (specs or {})[each.name]) for each in chosen]

    def stop(self, deployment_id: str, *, rollback: bool | None = None) -> Deployment:
        """Stop: events in flight end, nothing more is started. *rollback* None: the group's settings decide."""
        return self._store.request_stop(deployment_id, self._clock(), rollback=rollback)

    def continue_(self, deployment_id: str) -> Deployment:
        """End the hold or bake that the deployment is in."""
        return self._store.request_continue(deployment_id, self._clock())

    def roll_back(self, deployment_id: str) -> str | None:
        """Bring the group back to what it had before this deployment.

        A finished deployment: a new one of the revision before it, whose ID is returned; where its traffic can still be
        moved back, that is all that the new one does. One under way: it is stopped, and its automatic rollback follows;
        None is returned.
        """
        deployment = self._store.deployment(deployment_id)
        if deployment.creator in BESIDE:
            raise UserError(
                f"{deployment_id} is for one instance that Auto Scaling launched or ended, and changed nothing for the "
                f"group; name the deployment that brought {deployment.place} its revision"
            )
        if (undone := _gives_back(deployment)) is not None:
            raise UserError(
                f"{deployment_id} is itself the way back from {undone}; `penstock rollback {undone}` goes that way again, "
                f"and `penstock redeploy {undone}` brings its revision back"
            )
        if not deployment.status.is_terminal:
            self._store.request_stop(deployment_id, self._clock(), rollback=True)
            return None
        if self._can_be_restored(deployment):
            return self._store.create_restoring(deployment, self._clock())
        earlier = self._successful_before(deployment)
        if _names_its_fleet(deployment.settings):
            raise UserError(
                f"traffic cannot go back from {deployment_id}: it never began, or another deployment has since. Which hosts "
                f"are to replace those of {deployment.place} must be said: create a deployment of the revision of "
                f"{earlier.id} with targetInstances"
            )
        description = f"rolls back {deployment_id}"
        return self._store.create_again(earlier, Options(description=description), self._clock())

    def redeploy(self, what: str, options: Options | None = None) -> list[str]:
        """Deploy again: a deployment's revision (`d-...`), or what a group (`application/group`) or all groups of an
        application last had successfully."""
        if what.startswith("d-"):
            again = [self._store.deployment(what)]
        else:
            application, _, group = what.partition("/")
            names = [group] if group else self._store.groups(application)
            again = [self._last_successful(application, name) for name in names]
        return [self._store.create_again(each, options or Options(), self._clock()) for each in again]

    def describe(self, deployment_id: str) -> Description:
        """Raises `DeploymentDoesNotExist`."""
        return Description(
            deployment=self._store.deployment(deployment_id),
            targets=tuple(self._store.targets(deployment_id)),
            journal=tuple(self._store.journal(deployment_id)),
        )

    def list(
        self, *, application: str | None = None, group: str | None = None, active: bool = False, limit: int | None = 20
    ) -> list[Deployment]:
        """Deployments, newest first; *active*: only those that have not ended."""
        return self._store.deployments(
            application=application, group=group, statuses=UNFINISHED if active else (), limit=limit
        )

    def state(self) -> State:
        return self._store.state()

    def _forecast(self, manifest: Manifest, settings: GroupSettings, revision: Revision) -> Forecast:
        chosen, replaced = self._found(manifest, settings)
        check_load_balancer(settings, self._load_balancers)
        known = {health.target: health for health in self._store.instance_health(manifest.application, settings.name)}
        order = deployment_order(known.get(host.name, InstanceHealth(target=host.name)) for host in chosen)
        return Forecast(
            application=manifest.application,
            settings=settings,
            revision=revision,
            current=self._current(manifest.application, settings.name),
            hosts=tuple(order),
            plan=compile_rollout(settings.rollout, len(chosen)),
            events=_events(settings),
            traffic_wait=self._traffic_wait(settings),
            replaced=replaced,
        )

    def _found(self, manifest: Manifest, settings: GroupSettings) -> tuple[tuple[Host, ...], tuple[str, ...]]:
        """The hosts that are deployed to, and the names of those that they replace."""
        if settings.green is None:
            return choose(self._hosts(), settings, self._instances(settings)), ()
        original, replacement = sides(settings, self._store.live(manifest.application, settings.name))
        old, new = (of_fleet(settings, fleet or original) for fleet in (original, replacement))
        chosen = choose(self._hosts(), new, self._instances(new))
        names = () if replacement is None else tuple(host.name for host in chosen)
        before = choose(self._hosts(), old, self._instances(old))
        return chosen, tuple(host.name for host in before if host.name not in names)

    def _forecast_traffic(
        self, manifest: Manifest, settings: GroupSettings, revision: Revision, spec: TargetSpec
    ) -> TrafficForecast:
        return TrafficForecast(
            application=manifest.application,
            settings=settings,
            revision=revision,
            current=self._current(manifest.application, settings.name),
            spec=spec,
            program=compile_program(settings, spec, _unseen(spec), restoring=False),
        )

    def _traffic_wait(self, settings: GroupSettings) -> dt.timedelta:
        """All load balancers of a host are waited for side by side."""
        if settings.load_balancer is None:
            return dt.timedelta(0)
        names = [backend.load_balancer for backend in settings.load_balancer.haproxy]
        balancers: list[LoadBalancerConfig | InstancesConfig] = [self._load_balancers[name] for name in names]
        if settings.load_balancer.is_in_aws:
            balancers.append(self._of_instances)
        drain = max((each.drain_timeout for each in balancers), default=dt.timedelta(0))
        return drain + max((each.up_timeout for each in balancers), default=dt.timedelta(0))

    def _current(self, application: str, group: str) -> Revision | None:
        try:
            good = self._store.last_successful(application, group)
        except DeploymentGroupDoesNotExist:
            return None
        return good.revision if good else None

    def _last_successful(self, application: str, group: str) -> Deployment:
        good = self._store.last_successful(application, group)
        if good is None:
            raise UserError(f"nothing was ever deployed successfully to {application}/{group}; `penstock deploy` first")
        return good

    def _can_be_restored(self, deployment: Deployment) -> bool:
        """Whether what served before is still there: versions of a function stay, tasks do not; of hosts the store knows."""
        if deployment.started_at is None:
            return False
        if deployment.settings.green is not None:
            return self._store.is_last(deployment.id)
        if deployment.settings.platform == "Server":
            return False
        return deployment.settings.platform == "Lambda" or deployment.status is not DeploymentStatus.SUCCEEDED

    def _successful_before(self, deployment: Deployment) -> Deployment:
        history = self._store.deployments(
            application=deployment.application, group=deployment.group, statuses=(DeploymentStatus.SUCCEEDED,)
        )
        earlier = [each for each in history if each.created_at < deployment.created_at]
        different = [each for each in earlier if each.exact != deployment.exact]
        if not different:
            raise DeploymentAlreadyCompleted(
                f"there is nothing to go back to: no other revision was deployed successfully to {deployment.place} "
                f"before {deployment.id}"
            )
        return different[0]

    def _check_groups(self, manifest: Manifest, groups: Sequence[str]) -> None:
        known = [settings.name for settings in manifest.groups]
        for name in groups:
            if name not in known:
                raise DeploymentGroupDoesNotExist(
                    f"{manifest.file} has no deployment group {name}; it has {', '.join(known)}"
                )


def _gives_back(deployment: Deployment) -> str | None:
    """The deployment whose traffic it moves back. What was before has never been whole, and has not stood its checks.

    None for one between fleets of servers that has not succeeded: it may be tried again.
    """
    if deployment.rollback is None:
        return None
    if deployment.settings.platform == "Server" and (
        deployment.settings.green is None or deployment.status is not DeploymentStatus.SUCCEEDED
    ):
        return None
    return deployment.rollback.rollback_triggering_deployment_id


def _events(settings: GroupSettings) -> tuple[str, ...]:
    """Of a host that the revision comes to."""
    if settings.green is None:
        return server_in_place().of(settings)
    return server_blue_green().install + server_blue_green().allow


def _names_its_fleet(settings: GroupSettings) -> bool:
    """Whether each deployment of the group says which hosts are to replace the others, as the wire API has it."""
    return bool(settings.declared) and settings.green is not None and not settings.green.copy


def _unseen(spec: TargetSpec) -> TargetState:
    """What is there to begin with, where nobody has asked AWS."""
    if isinstance(spec, LambdaSpec):
        return LambdaState(function=spec.function, alias=spec.alias, current_version=spec.current_version or "")
    return EcsState(cluster=spec.cluster, service=spec.service, controller="EXTERNAL")
