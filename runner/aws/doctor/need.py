"""One permission that deployments need."""

from typing import Any, NamedTuple

from runner.aws.operations import iam_action


class Need(NamedTuple):
    """*params* None: no call shows it without doing it. *passed_to*: which service gets the role that is passed."""

    service: str
    operation: str
    resource: str
    params: dict[str, Any] | None
    passed_to: str = ""

    @property
    def action(self) -> str:
        return iam_action(self.service, self.operation)
