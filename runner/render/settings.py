"""From a manifest that has passed the schema to the values of `model.manifest`, and the checks across its parts."""

from pathlib import PurePosixPath
from typing import Any, TypeAlias

from runner.errors import UserError
from runner.model.duration import parse_duration
from runner.model.manifest import After, GroupSettings, Manifest, RollbackEvent, Trigger, Watch
from runner.model.platform import ComputePlatform
from runner.model.rollout import Rollout
from runner.render import forms, order, rollouts
from runner.render.checks import Checks
from runner.render.locations import location
from runner.render.names import Names
from runner.render.steps import Report
from runner.schema import did_you_mean

Path: TypeAlias = tuple[Any, ...]

_ROLLBACK_EVENTS: dict[str, RollbackEvent] = {
    "failure": "DEPLOYMENT_FAILURE",
    "alarm": "DEPLOYMENT_STOP_ON_ALARM",
    "stop": "DEPLOYMENT_STOP_ON_REQUEST",
}


class Settings:
    """Builds the values of one manifest.

    *data*: as written. *views*: per group the manifest as that group sees it, rendered; *scopes*: the names that it saw.
    What is wrong is reported with its path; then the values are not to be used.
    """

    def __init__(
        self,
        file: str,
        data: dict[str, Any],
        views: dict[str, dict[str, Any]],
        scopes: dict[str, Names],
        report: Report,
    ) -> None:
        self.file = file
        self.views, self.scopes = views, scopes
        self.report = report
        self.own_rollouts, self.own_checks = list(data.get("rollouts", {})), list(data.get("checks", {}))
        self.notified = [entry.get("groups", []) for entry in data.get("notify", [])]
        self.platform: ComputePlatform = next(iter(views.values()))["platform"]

    def manifest(self) -> Manifest:
        groups = {name: self._group(name, view) for name, view in self.views.items()}
        self._check_notified()
        view = next(iter(self.views.values()))
        return Manifest(
            application=view["application"],
            platform=self.platform,
            file=self.file,
            root=_root(self.file),
            watch=_watch(view.get("watch", {})),
            revision=location(view, self.report),
            appspec=view.get("appspec", "appspec.yml"),
            groups=tuple(groups[name] for name in self._order(groups)),
            signed="signed" in view,
        )

    def _group(self, name: str, view: dict[str, Any]) -> GroupSettings:
        group = view["deployment_groups"][name]
        targets, place = group.get("targets", {}), forms.place(view.get("aws", {}), group.get("aws", {}))
        rollout = self._rollout(name, group.get("rollout", rollouts.DEFAULTS[self.platform]), self._rollouts(view))
        checks = Checks(view.get("checks", {}), self.own_checks, self.report)
        return GroupSettings(
            name=name,
            tags=forms.tags(targets.get("tags", {})),
            ec2=forms.ec2(targets),
            termination_hook=targets.get("termination_hook", False),
            rollout=rollout,
            after=_after(group.get("after")),
            rollback_on=_rollback(group.get("rollback", view.get("rollback"))),
            triggers=_triggers(view, group),
            load_balancer=forms.load_balancer(group.get("load_balancer"), place),
            platform=self.platform,
            place=place,
            function=forms.function(view.get("function")),
            service=forms.service(view.get("service"), self.scopes[name]),
            blue_green=forms.waits(group.get("blue_green")),
            green=forms.green(group.get("blue_green")),
            alarms=checks.of_group(group.get("checks", []), ("deployment_groups", name, "checks")),
            checks=checks.of_rollout(rollout),
        )

    def _rollouts(self, view: dict[str, Any]) -> dict[str, Rollout]:
        """The manifest's own rollouts that this view carries, checked."""
        return {
            name: rollouts.custom(name, data, self.platform, self._below("rollouts", name))
            for name, data in view.get("rollouts", {}).items()
        }

    def _below(self, *prefix: Any) -> Report:
        return lambda path, message: self.report((*prefix, *path), message)

    def _rollout(self, group: str, name: str, own: dict[str, Rollout]) -> Rollout:
        if name in own:
            return own[name]
        try:
            return rollouts.find_predefined(name, self.own_rollouts, self.platform)
        except UserError as error:
            self.report(("deployment_groups", group, "rollout"), error.message)
            return Rollout(name=name)

    def _order(self, groups: dict[str, GroupSettings]) -> list[str]:
        """The names of the groups, every `after` looking back. Reports groups that do not exist, and cycles."""
        after = {name: group.after.group if group.after else None for name, group in groups.items()}
        for name, before in after.items():
            if before is not None and before not in after:
                others = [other for other in after if other != name]
                message = f"there is no deployment group {before}{did_you_mean(before, others)}"
                self.report(("deployment_groups", name, "after"), message)
        for cycle in order.cycles(after):
            self.report(("deployment_groups", cycle[0], "after"), _describe_cycle(cycle))
        return order.order(after)

    def _check_notified(self) -> None:
        for index, groups in enumerate(self.notified):
            for position, group in enumerate(groups):
                if group not in self.views:
                    message = f"there is no deployment group {group}{did_you_mean(group, self.views)}"
                    self.report(("notify", index, "groups", position), message)


def _root(file: str) -> str:
    folder = str(PurePosixPath(file).parent)
    return "" if folder in (".", ".penstock") else folder


def _watch(watch: dict[str, Any]) -> Watch:
    paths = watch.get("paths")
    return Watch(branch=watch.get("branch"), tag=watch.get("tag"), paths=None if paths is None else tuple(paths))


def _after(after: str | dict[str, str] | None) -> After | None:
    if after is None:
        return None
    if isinstance(after, str):
        return After(group=after)
    return After(group=after["group"], bake=parse_duration(after.get("bake", "0s")))


def _rollback(rollback: dict[str, Any] | None) -> tuple[RollbackEvent, ...]:
    return tuple(_ROLLBACK_EVENTS[event] for event in (rollback or {}).get("on", []))


def _triggers(view: dict[str, Any], group: dict[str, Any]) -> tuple[Trigger, ...]:
    """The manifest's triggers for this group, then the group's own; the same one only once."""
    name = next(iter(view["deployment_groups"]))
    shared = [entry for entry in view.get("notify", []) if entry and name in entry.get("groups", [name])]
    triggers = (Trigger(to=entry["to"], on=tuple(entry["on"])) for entry in [*shared, *group.get("notify", [])])
    return tuple(dict.fromkeys(triggers))


def _describe_cycle(cycle: list[str]) -> str:
    if len(cycle) == 1:
        return "comes after itself"
    return f"the groups wait for each other in a circle: {' after '.join([*cycle, cycle[0]])}"
