"""The examination of one deployment group: who we are, what is there, what is allowed."""

from runner.aws import Aws, AwsError
from runner.aws.doctor.allowing import judge
from runner.aws.doctor.findings import Finding, fine, missing
from runner.aws.doctor.identity import identify
from runner.aws.doctor.looking import look
from runner.aws.doctor.looking_at_images import look_at_images
from runner.aws.doctor.needs import needs
from runner.aws.doctor.subject import Subject


def examine(aws: Aws, subject: Subject) -> list[Finding]:
    """Everything that a deployment of *subject* needs of AWS, found or not. Blocks for some seconds; raises nothing.

    Where there are no credentials, no role or no region, that is all that is found.
    """
    try:
        who = identify(aws, subject.place)
        images = look_at_images(aws, subject.image) if subject.image else []
    except AwsError as error:
        return [missing("credentials", error.message)]
    seen = look(aws, subject, who)
    allowed = judge(aws, subject.place, who, list(needs(subject, who, seen)))
    found = [fine("credentials", f"account {who.account}, {who.arn}"), *seen.findings, *images]
    told = {_action(finding) for finding in found}
    return [*found, *(each for each in allowed if each.statement is None or _action(each) not in told)]


def _action(finding: Finding) -> str:
    """The permission that is missing; looking around may have been told of it already."""
    return str(finding.statement["Action"]) if finding.statement else ""
