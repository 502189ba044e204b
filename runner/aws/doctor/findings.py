"""What an examination brings to light."""

from typing import Any, Literal

from runner.aws.errors import AwsError
from runner.model.value import Value


class Finding(Value, frozen=True, kw_only=True):
    """*what*: a thing (`function orders`) or a permission (`lambda:UpdateAlias on arn:...`).

    *verdict*: `missing`: it is not there, or not as a deployment needs it; `denied`: it is not allowed; `unknown`: nobody
    could say. *statement*: of an IAM policy of *who*, that grants what was denied.
    """

    what: str
    verdict: Literal["ok", "missing", "denied", "unknown"]
    message: str = ""
    who: str = ""
    statement: dict[str, Any] | None = None

    @property
    def is_wrong(self) -> bool:
        return self.verdict in ("missing", "denied")


def fine(what: str, message: str = "") -> Finding:
    return Finding(what=what, verdict="ok", message=message)


def missing(what: str, message: str) -> Finding:
    return Finding(what=what, verdict="missing", message=message)


def of_error(what: str, error: AwsError, who: str, resource: str = "*") -> Finding:
    """What it means for *what* that asking for it failed. *resource*: what *who* would have to be allowed it on."""
    if error.statement is not None:
        return _denied(what, error, error.statement, who, resource)
    if error.code == "TIMEOUT" or error.retryable:
        return Finding(what=what, verdict="unknown", message=error.message)
    return missing(what, error.message)


def _denied(what: str, error: AwsError, statement: dict[str, Any], who: str, resource: str) -> Finding:
    action = statement["Action"]
    named = "it" if what.startswith(action) else action
    if error.denied_by:
        message = f"a {error.denied_by} denies {named}, whatever else allows it"
        return Finding(what=what, verdict="denied", message=message, who=who)
    granting = statement if resource == "*" else {**statement, "Resource": resource}
    return Finding(
        what=what, verdict="denied", message=f"no policy of {who} allows {named}", who=who, statement=granting
    )
