"""Whether requests for a service come in as a blue/green deployment needs it: listeners, rules, pairs of target groups.

Everything here blocks and only reads.
"""

from runner.errors import Refused
from runner.model.services import EcsSpec, Route
from runner.platforms.services import listeners, target_groups
from runner.platforms.services.actions import Actions, describe, group_name, receives, shares
from runner.platforms.services.calls import Calls
from runner.platforms.services.forwarding import is_on
from runner.platforms.services.routes import balancer_of, is_classic, is_rule, listener_of, named
from runner.platforms.services.service import Shown

_BALANCER = "ELASTIC_LOAD_BALANCING_INVALID"


def found_entrances(
    calls: Calls, spec: EcsSpec, primary: Shown, network_mode: str
) -> tuple[dict[str, Actions], tuple[tuple[str, str], ...]]:
    """Every listener and rule that forwards to the primary task set, with its actions; and each route's pair of groups."""
    if not spec.routes:
        raise Refused(
            "MISSING_ELB_INFORMATION",
            "a blue/green deployment needs a listener and two target groups; the group has none",
        )
    groups = target_groups.find(calls, (name for route in spec.routes for name in route.target_groups))
    pairs = tuple(_pair(route, primary, groups) for route in spec.routes)
    for name, group in groups.items():
        _check_group(name, group, network_mode)
    for route, (blue, _) in zip(spec.routes, pairs, strict=True):
        _check_balancers(route, next(each for each in groups.values() if each["TargetGroupArn"] == blue))
    balancers = dict.fromkeys(arn for group in groups.values() for arn in group["LoadBalancerArns"])
    now = {arn: actions for balancer in balancers for arn, actions in listeners.all_of(calls, balancer).items()}
    before: dict[str, Actions] = {}
    for route, (blue, green) in zip(spec.routes, pairs, strict=True):
        for arn, is_test in ((route.listener, False), (route.test_listener, True)):
            before |= _entrance(arn, now, blue, green, is_test) if arn is not None else {}
    _check_others(now, before, pairs)
    return before, pairs


def _pair(route: Route, primary: Shown, groups: dict[str, target_groups.Group]) -> tuple[str, str]:
    """The group of the primary task set, and the other one."""
    if route.listener is None:
        raise Refused("MISSING_ELB_INFORMATION", "a route of the deployment group names no production listener")
    arns = list(dict.fromkeys(groups[name]["TargetGroupArn"] for name in route.target_groups))
    if len(arns) != 2:
        raise Refused(_BALANCER, f"a route needs two different target groups; it has {', '.join(route.target_groups)}")
    blue = [arn for arn in arns if is_on(primary, arn)]
    if len(blue) != 1:
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"the primary task set {primary['id']} must be in exactly one of the target groups "
            f"{', '.join(map(group_name, arns))}; it is in {len(blue)} of them",
        )
    return blue[0], next(arn for arn in arns if arn != blue[0])


def _check_group(name: str, group: target_groups.Group, network_mode: str) -> None:
    """Tasks with a network interface of their own are targets by address, all others by their instance."""
    wanted = "ip" if network_mode == "awsvpc" else "instance"
    if group.get("TargetType", "instance") != wanted:
        raise Refused(
            _BALANCER,
            f"target group {name} has targets of type {group.get('TargetType')}; tasks with network mode {network_mode} "
            f"need {wanted}",
        )


def _check_balancers(route: Route, blue: target_groups.Group) -> None:
    """One load balancer for a route, an application or a network one: that of its listeners."""
    for arn in named((route,)):
        if is_classic(arn):
            raise Refused(_BALANCER, f"{arn} is no listener or rule of an application or network load balancer")
        if balancer_of(arn) not in blue["LoadBalancerArns"]:
            raise Refused(_BALANCER, f"target group {blue['TargetGroupName']} is not behind the load balancer of {arn}")


def _entrance(arn: str, now: dict[str, Actions], blue: str, green: str, is_test: bool) -> dict[str, Actions]:
    """What *arn* stands for: itself, and the rules of a listener, as far as they forward to the service."""
    if arn not in now:
        raise Refused(
            "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", f"there is no {'rule' if is_rule(arn) else 'listener'} {arn}"
        )
    candidates = {each: actions for each, actions in now.items() if arn in (each, is_rule(each) and listener_of(each))}
    for entry, actions in candidates.items():
        if receives(actions, green):
            raise Refused(_BALANCER, _taken(entry, actions, blue, green))
    found = {entry: actions for entry, actions in candidates.items() if receives(actions, blue)}
    if not found:
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"Primary taskset target group must be behind listener: the {'test ' * is_test}listener {arn} forwards to "
            f"{describe(now[arn])}, not to {group_name(blue)}",
        )
    return found


def _check_others(now: dict[str, Actions], before: dict[str, Actions], pairs: tuple[tuple[str, str], ...]) -> None:
    """Nobody else may use the target groups: their requests would stay with the original, and end with it."""
    for arn, actions in now.items():
        used = [group for pair in pairs for group in pair if receives(actions, group)]
        if used and arn not in before:
            raise Refused(
                _BALANCER,
                f"{arn} sends requests to {group_name(used[0])} too, but no route of the deployment group names it. Name it "
                "there (a test listener as such), or let it forward elsewhere",
            )


def _taken(entry: str, actions: Actions, blue: str, green: str) -> str:
    mend = f"give {group_name(blue)} all of it"
    if shares(actions).get(blue):
        mend = f"if a deployment was stopped half-way, `penstock rollback ID` with its ID; else {mend}"
    return (
        f"Primary taskset target group must be behind listener: {entry} sends requests to {group_name(green)} (it has "
        f"{describe(actions)}), where the replacement would start. To mend it: {mend}"
    )
