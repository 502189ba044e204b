"""Which permissions are there: asked of IAM's simulation, or where that is not allowed, tried with calls that do nothing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runner.aws import Aws, AwsError
from runner.aws.doctor.findings import Finding, fine, of_error
from runner.aws.doctor.identity import HASTE, Identity
from runner.aws.doctor.need import Need
from runner.model.aws import AwsPlace

_AT_ONCE = 50  # actions of one SimulatePrincipalPolicy


def judge(aws: Aws, place: AwsPlace, who: Identity, needs: Sequence[Need]) -> Iterator[Finding]:
    """A finding for each of *needs*."""
    decisions = None if who.is_root else _simulated(aws, place, who, needs)
    for need in needs:
        what = need.action if need.resource == "*" else f"{need.action} on {need.resource}"
        if who.is_root:
            yield fine(what, "the root user may do everything")
        elif decisions is not None:
            yield _of_decision(what, need, decisions.get((need.action, need.resource), ""), who)
        else:
            yield _tried(aws, place, what, need, who)


def _simulated(aws: Aws, place: AwsPlace, who: Identity, needs: Iterable[Need]) -> dict[tuple[str, str], str] | None:
    """IAM's decision on each action and resource; None where nobody here may simulate."""
    own = AwsPlace(region=place.region)
    for asking in dict.fromkeys([place, own]):  # the role itself seldom may; the runner that assumes it perhaps
        try:
            return _ask_iam(aws, asking, who, needs)
        except AwsError:
            continue
    return None


def _ask_iam(aws: Aws, place: AwsPlace, who: Identity, needs: Iterable[Need]) -> dict[tuple[str, str], str]:
    actions: dict[tuple[str, str], list[str]] = {}
    for need in needs:
        of = actions.setdefault((need.resource, need.passed_to), [])
        if need.action not in of:
            of.append(need.action)
    decisions: dict[tuple[str, str], str] = {}
    for (resource, passed_to), named in actions.items():
        for some in (named[start : start + _AT_ONCE] for start in range(0, len(named), _AT_ONCE)):
            asked = {"PolicySourceArn": who.policies_of, "ActionNames": some, "ResourceArns": [resource]}
            asked |= _passing(passed_to) if passed_to else {}
            for each in aws.pages(place, "iam", "simulate_principal_policy", asked, "EvaluationResults", **HASTE):
                decisions[each["EvalActionName"], resource] = each["EvalDecision"]
    return decisions


def _passing(service: str) -> dict[str, Any]:
    """Policies usually say whom a role may be passed to."""
    key = {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [service], "ContextKeyType": "string"}
    return {"ContextEntries": [key]}


def _of_decision(what: str, need: Need, decision: str, who: Identity) -> Finding:
    if decision == "allowed":
        return fine(what)
    if not decision:
        return Finding(what=what, verdict="unknown", message="IAM's simulation said nothing of it")
    if decision == "explicitDeny":
        message = f"a policy of {who.policies_of}, or of its organization, denies it, whatever else allows it"
        return Finding(what=what, verdict="denied", message=message, who=who.policies_of)
    statement = {"Effect": "Allow", "Action": need.action, "Resource": need.resource}
    message = f"no policy of {who.policies_of} allows it"
    return Finding(what=what, verdict="denied", message=message, who=who.policies_of, statement=statement)


def _tried(aws: Aws, place: AwsPlace, what: str, need: Need, who: Identity) -> Finding:
    if need.params is None:
        message = "it cannot be tried without doing it, and iam:SimulatePrincipalPolicy is not allowed"
        return Finding(what=what, verdict="unknown", message=message)
    try:
        aws.call(place, need.service, need.operation, need.params, **HASTE)
    except AwsError as error:
        if error.statement is not None or error.retryable:
            return of_error(what, error, who.policies_of, need.resource)
    return fine(what, "tried with a call that changes nothing")
