"""A look around in AWS under way: how to ask for a thing, and what has been seen. Reads only."""

from collections.abc import Callable
from typing import Any

from runner.aws import Aws, AwsError
from runner.aws.doctor.findings import Finding, fine, missing, of_error
from runner.aws.doctor.identity import HASTE, Identity
from runner.aws.doctor.subject import Subject
from runner.model.value import Value


class Seen(Value, frozen=True, kw_only=True):
    """What looking around has shown. *task_definition*: that runs now. *roles* (ARNs): of its tasks, or of instances.

    *auto_scaling_groups*: name to ARN of those that are there. Of the one that would be copied: *has_template*: it
    launches by a launch template; *attached*: it has target groups, *attached_classic*: classic load balancers.
    """

    findings: tuple[Finding, ...] = ()
    controller: str = "CODE_DEPLOY"
    task_definition: str | None = None
    roles: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    target_groups: tuple[str, ...] = ()
    auto_scaling_groups: dict[str, str] = {}
    has_template: bool = False
    attached: bool = False
    attached_classic: bool = False


class Looking:
    """One subject is looked at. *known*: members of `Seen`."""

    def __init__(self, aws: Aws, subject: Subject, who: Identity) -> None:
        self._aws, self.subject, self.who = aws, subject, who
        self._findings: list[Finding] = []
        self.known: dict[str, Any] = {}

    def seen(self) -> Seen:
        return Seen(findings=tuple(self._findings), **self.known)

    def find(
        self,
        what: str,
        service: str,
        operation: str,
        params: dict[str, Any],
        wrong: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> dict[str, Any] | None:
        """Ask for *what* and note how it is. *wrong*: what about the answer a deployment could not work with."""
        answer = self.ask(what, service, operation, params)
        if answer is not None:
            why = wrong(answer)
            self.note(missing(what, why) if why else fine(what))
        return answer

    def ask(self, what: str, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, for somebody who looks at it himself; only that there is none is noted."""
        try:
            return self._aws.call(self.subject.place, service, operation, params, **HASTE)
        except AwsError as error:
            self.note(of_error(what, error, self.who.policies_of))
            return None

    def ask_if_allowed(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to what only the doctor wants to know."""
        try:
            return self._aws.call(self.subject.place, service, operation, params, **HASTE)
        except AwsError:
            return None

    def note(self, finding: Finding) -> None:
        self._findings.append(finding)

    def remember(self, what: str, *arns: str) -> None:
        self.known[what] = tuple(dict.fromkeys([*self.known.get(what, ()), *arns]))
