"""What stands out in the log: mistakes on their lines, and how deployments have ended."""

from runner.cli.action.commands import Screen
from runner.cli.action.outcome import Rollout
from runner.errors import Mistake


def annotate(screen: Screen, mistakes: tuple[Mistake, ...], level: str = "error") -> None:
    """One annotation for each mistake, on its line."""
    for each in mistakes:
        screen.annotate(level, each.path or "Penstock", each.message, each.file, each.line)


def tell_end(screen: Screen, rollout: Rollout) -> None:
    """The scripts that failed, with their last lines, and an annotation where a deployment did not succeed."""
    for failure in rollout.failures:
        with screen.group(f"{failure.target} failed in {failure.event} {failure.script}".strip()):
            print(failure.message)
            print(failure.tail)
    if rollout.status in ("Failed", "Stopped"):
        title = f"{rollout.place} {rollout.status.lower()}"
        screen.annotate("error" if rollout.asked else "warning", title, f"{rollout.id} {rollout.message}".strip())
