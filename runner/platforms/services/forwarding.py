"""Who sends requests to the tasks of a task set, by the target groups that they are in."""

from runner.platforms.services.actions import receives
from runner.platforms.services.listeners import all_of
from runner.platforms.services.service import Shown
from runner.platforms.services.target_groups import find
from runner.platforms.services.work import Work


def is_on(task_set: Shown, group: str) -> bool:
    """Whether its tasks are targets of *group* (ARN)."""
    return any(each.get("targetGroupArn") == group for each in task_set.get("loadBalancers", []))


def replacement_groups(work: Work) -> list[str]:
    return [green for _, green in work.state.pairs]


def forwarding(work: Work, groups: set[str]) -> str:
    """The listeners and rules, anybody's, that send requests to any of *groups*; "" for none. Blocks."""
    balancers = {arn for each in find(work.calls, groups).values() for arn in each.get("LoadBalancerArns", [])}
    found = {arn: actions for balancer in sorted(balancers) for arn, actions in all_of(work.calls, balancer).items()}
    return ", ".join(arn for arn, actions in found.items() if any(receives(actions, group) for group in groups))
