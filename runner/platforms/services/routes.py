"""Where requests for a service come in. Pure: which listeners and rules belong to which of its routes.

A route names a listener or a rule. A listener stands for its default actions and for all its rules that forward to the
service; so CodeDeploy has it. `EcsState.before` holds what was found, by ARN.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.model.services import EcsState, Route
from runner.platforms.services.actions import receives


class Entry(NamedTuple):
    """One listener or rule that forwards to the service. *blue*, *green*: ARNs of the original's and the replacement's
    target group."""

    arn: str
    blue: str
    green: str
    is_test: bool

    @property
    def takes_weights(self) -> bool:
        """A network load balancer's listener has one target group at a time."""
        return not is_network(self.arn)

    def __str__(self) -> str:
        kind = "rule" if is_rule(self.arn) else "listener"
        return f"{'test' if self.is_test else 'production'} {kind} {self.arn}"


def entries(routes: Sequence[Route], state: EcsState) -> list[Entry]:
    """All of `state.before`, in its order."""
    found = []
    for arn, actions in state.before.items():
        blue, green = next(pair for pair in state.pairs if receives(actions, pair[0]))
        found.append(Entry(arn, blue, green, _is_test(arn, routes)))
    return found


def production(routes: Sequence[Route], state: EcsState) -> list[Entry]:
    return [entry for entry in entries(routes, state) if not entry.is_test]


def named(routes: Sequence[Route]) -> Iterator[str]:
    """Every listener and rule that *routes* name, once."""
    yield from dict.fromkeys(
        arn for route in routes for arn in (route.listener, route.test_listener) if arn is not None
    )


def is_rule(arn: str) -> bool:
    return ":listener-rule/" in arn


def is_network(arn: str) -> bool:
    return "/net/" in arn


def is_classic(arn: str) -> bool:
    """Whether *arn* is anything else than a listener or rule of an application or network load balancer."""
    return not any(
        f":{kind}/{balancer}/" in arn for kind in ("listener", "listener-rule") for balancer in ("app", "net")
    )


def balancer_of(arn: str) -> str:
    """ARN of the load balancer of a listener or rule."""
    start, _, rest = arn.partition(":listener-rule/" if is_rule(arn) else ":listener/")
    return f"{start}:loadbalancer/{'/'.join(rest.split('/')[:3])}"


def listener_of(rule: str) -> str:
    """ARN of the listener that the rule belongs to."""
    return rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _is_test(arn: str, routes: Sequence[Route]) -> bool:
    """Whether *arn* is a test entrance and no production one. What a route names itself comes before its listener."""
    for name in (arn, listener_of(arn)) if is_rule(arn) else (arn,):
        if any(name == route.listener for route in routes):
            return False
        if any(name == route.test_listener for route in routes):
            return True
    return False
