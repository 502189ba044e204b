"""Getting ready to replace one fleet of servers by another: the bundle here, its AppSpec checked, both fleets known."""

from collections.abc import Callable, Sequence

from runner.errors import NoInstances, Refused, UserError
from runner.execute.prepare import Check, bundle_of, failure
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet
from runner.model.manifest import GroupSettings
from runner.model.target import Host
from runner.model.work import PreparationFailed, Prepare, PreparedFleets, Rerouting
from runner.plan.fleets import of_fleet, sides
from runner.ports import Sources

Find = Callable[[GroupSettings], Sequence[Host]]
"""The hosts that a group's settings name. Raises `NoInstances` where there is none, and `WorldError`."""


def prepare_fleets(action: Prepare, sources: Sources, find: Find, check: Check) -> PreparedFleets | PreparationFailed:
    """Fetch, read, find. What the user must mend is a `PreparationFailed`; `WorldError` is raised, to be retried."""
    deployment = action.deployment
    settings = deployment.settings
    try:
        if settings.declared and not settings.declared.get("blueGreenDeploymentConfiguration"):
            raise Refused(
                "MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION",
                f"{_group(settings)} has no blueGreenDeploymentConfiguration, so nobody said what becomes of its instances",
            )
        found = action.rerouting or _found(action, find)
        if settings.load_balancer is None:
            raise Refused("MISSING_ELB_INFORMATION", f"{_group(settings)} has no load balancer to move traffic with")
        _check_end(settings, found.blue, undoes=action.rerouting is not None)
        check((*found.blue, *found.green), settings)
        exact, bundle, file, spec = bundle_of(deployment, sources)
    except UserError as error:
        return PreparationFailed(deployment_id=deployment.id, error=failure(error))
    return PreparedFleets(
        deployment_id=deployment.id,
        bundle=bundle,
        appspec=spec,
        appspec_file=None if file == deployment.appspec else file,
        pinned=None if exact == deployment.revision else exact,
        original=found.original,
        replacement=found.replacement,
        blue=found.blue,
        green=found.green,
    )


def _check_end(settings: GroupSettings, blue: Sequence[Host], *, undoes: bool) -> None:
    """Raises `Refused` when the original is to be terminated and could not be."""
    others = [] if undoes or settings.blue_green.termination_wait is None else [h.name for h in blue if not h.instance]
    if others:
        named = f"{', '.join(others[:5])} and {len(others) - 5} more" if len(others) > 5 else ", ".join(others)
        raise Refused(
            "NO_INSTANCES",
            f"the original of {_group(settings)} is to be terminated, and {named} are no EC2 instances; keep it "
            "(original: keep), or say which instances they are ([hosts.NAME] instance, in penstock.toml)",
        )


def _found(action: Prepare, find: Find) -> Rerouting:
    """Both fleets; a host that both would have is of the replacement."""
    settings = action.deployment.settings
    original, replacement = sides(settings, action.live)
    if settings.green is not None and settings.green.copy:
        return _to_be_copied(action, original, find)
    if replacement is None:
        raise Refused(
            "NO_INSTANCES",
            f"nobody said which hosts are to replace those of {_group(settings)}; name them by targetInstances when the "
            "deployment is created",
        )
    green = tuple(find(of_fleet(settings, replacement)))
    names = {host.name for host in green}
    blue = tuple(host for host in find(of_fleet(settings, original)) if host.name not in names)
    if not blue:
        raise NoInstances(f"every host of {_group(settings)} would be its own replacement; name others")
    if settings.declared and len(blue) != len(green):
        # Source: CodeDeploy; a manifest may ask for a replacement that is larger or smaller.
        raise NoInstances(
            f"{_group(settings)} has {len(blue)} instances, and {len(green)} were named to replace them; name as many"
        )
    return Rerouting(original=original, replacement=replacement, blue=blue, green=green)


def _to_be_copied(action: Prepare, original: Fleet, find: Find) -> Rerouting:
    deployment = action.deployment
    if len(original.ec2.auto_scaling_groups) != 1 or original.ec2.tag_set or original.tags or original.tag_set:
        raise Refused(
            "AUTO_SCALING_CONFIGURATION",
            f"{_group(deployment.settings)} must have exactly one Auto Scaling group and no other hosts: it is copied",
        )
    copy = Fleet(ec2=Ec2Targets(auto_scaling_groups=(f"CodeDeploy_{deployment.group}_{deployment.id}",)))
    blue = tuple(find(of_fleet(deployment.settings, original)))
    return Rerouting(original=original, replacement=copy, blue=blue, green=())


def _group(settings: GroupSettings) -> str:
    return f"deployment group {settings.name}"
