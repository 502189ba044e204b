"""What `penstock plan` says of a group whose hosts are replaced by others."""

from collections.abc import Iterator, Sequence

from runner.model.duration import format_duration
from runner.model.manifest import GroupSettings
from runner.plan.words import count, listed


def facts_of_fleets(
    settings: GroupSettings, replaced: Sequence[str], *, names: bool = True
) -> Iterator[tuple[str, str]]:
    """*replaced*: names of the hosts that have the traffic now; *names*: whether they are told."""
    assert settings.green is not None
    if settings.green.copy:
        first = ", ".join(settings.ec2.auto_scaling_groups)
        yield "makes", f"a copy of the Auto Scaling group in use (at first {first}), with as many instances"
    yield "replaces", listed(replaced, 12) if names else count(len(replaced), "host")
    ready = settings.blue_green.ready_wait
    before = f"waits {format_duration(ready)} for `penstock continue`, and stops without it; then " if ready else ""
    yield "traffic", f"{before}{settings.load_balancer}: the new hosts get it, and then the replaced ones lose it"
    yield "original", _end(settings)


def _end(settings: GroupSettings) -> str:
    end = settings.blue_green.termination_wait
    if end is None:
        return "kept"
    return f"terminated {format_duration(end)} after that" if end else "terminated at once"
