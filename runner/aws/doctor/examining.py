"""The examination of one deployment group: who we are, what is there, what is allowed."""

from runner.aws import Aws, AwsError
from runner.aws.doctor.allowing import judge
from runner.aws.doctor.findings import Finding, fine, missing
from runner.aws.doctor.identity import identify
from runner.aws.doctor.looking import look
from runner.aws.doctor.needs import needs
from runner.aws.doctor.subject import Subject


def examine(aws: Aws, subject: Subject) -> list[Finding]:
    """Everything that a deployment of *subject* needs of AWS, found or not. Blocks for some seconds; raises nothing.

    Where there are no credentials, no role or no region, that is all that is found.
    """
    try:
        who = identify(aws, subject.place)
    except AwsError as error:
        return [missing("credentials", error.message)]
    seen = look(aws, subject, who)
    allowed = judge(aws, subject.place, who, list(needs(subject, who, seen)))
    return _once([fine("credentials", f"account {who.account}, {who.arn}"), *seen.findings, *allowed])


def _once(findings: list[Finding]) -> list[Finding]:
    """A permission that looking around lacked is told of once."""
    told: set[str] = set()
    kept = []
    for finding in findings:
        action = str(finding.statement["Action"]) if finding.statement else ""
        if action and action in told:
            continue
        told.add(action)
        kept.append(finding)
    return kept
