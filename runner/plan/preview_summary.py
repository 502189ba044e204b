"""What is said of a pull request in one line, and of groups whose plan nobody can know beforehand. Pure."""

from collections.abc import Iterable, Sequence

from runner.model.manifest import GroupSettings, Manifest
from runner.model.pull_request import ApplicationPreview, GroupPreview, PreviewState
from runner.plan.fleets import fleets_of
from runner.plan.preview import Outline
from runner.plan.preview_facts import facts
from runner.plan.preview_traffic import TrafficOutline
from runner.plan.words import count, listed

LONGEST_TEXT = 140  # characters: GitHub's limit for descriptions
_EC2 = "instances in EC2, which are looked up when it is deployed"


def unknown_groups(wanted: Manifest) -> dict[str, GroupPreview]:
    """Groups whose hosts only AWS knows, and those that come after such ones; by name."""
    found: dict[str, GroupPreview] = {}
    for settings in wanted.groups:
        if why := _unknown(settings, found):
            found[settings.name] = GroupPreview(name=settings.name, rollout=settings.rollout.name, facts=(why,))
    return found


def _unknown(settings: GroupSettings, before: dict[str, GroupPreview]) -> tuple[str, str] | None:
    if any(fleet.ec2 for fleet in fleets_of(settings)):
        return "hosts", _EC2
    if settings.after is not None and settings.after.group in before:
        return "begins", f"once {settings.after.group} has the same revision; when that is, nobody can say"
    return None


def known_group(each: Outline | TrafficOutline, *, names: bool) -> GroupPreview:
    """*names*: whether hosts may be named."""
    settings = each.settings
    return GroupPreview(
        name=settings.name,
        rollout=each.rollout,
        facts=tuple(fact for fact in facts(each, names=names) if fact[0] != "ends"),
        earliest_end=each.earliest_end,
        latest_end=each.latest_end,
    )


def summary(applications: Sequence[ApplicationPreview], more: Sequence[str], mistakes: int) -> tuple[PreviewState, str]:
    """State and text of a whole preview. *mistakes*: how many the manifests have."""
    refused = [each.application for each in applications if each.refused]
    if mistakes:
        return "Refused", f"manifests have {count(mistakes, 'mistake')}: nothing would be deployed"
    if refused:
        return "Refused", shortened(f"nothing would be deployed: {listed(refused)} would be refused")
    names = [*(each.application for each in applications), *more]
    if not names:
        return "Nothing", "merging deploys nothing"
    return "Deploys", shortened(f"merging deploys {count(len(names), 'application')}: {listed(names, 6)}")


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."


def gone(before: Iterable[Manifest], after: Iterable[Manifest]) -> tuple[str, ...]:
    """Applications that have no manifest after the merge."""
    there = {each.application for each in after}
    return tuple(each.application for each in before if each.application not in there)
