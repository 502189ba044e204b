"""What AWS says when something is not allowed, as a sentence that names who, what, where, and what would allow it."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# "User: arn:... is not authorized to perform: lambda:UpdateAlias on resource: arn:... because no identity-based policy ..."
# IAM user guide, "Troubleshoot access denied error messages"
_WHO = re.compile(r"User: (arn:\S+) is not authorized")
_WHAT = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")
_WHERE = re.compile(r"on resource: (arn:\S+?)(?:[\s,]|\.(?:\s|$)|$)")
_DENIED = re.compile(r"with an explicit deny in (?:an? |the )?([\w -]+ policy)")
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.*")


class Denial(NamedTuple):
    """*who*: ARN, "" when AWS did not say. *statement*: of a policy, that grants it. *by*: the policy that forbids it."""

    who: str
    statement: dict[str, Any]
    by: str

    def __str__(self) -> str:
        """To be put behind the name of the call."""
        resource = self.statement["Resource"]
        whose = self.who or "the credentials in use"
        where = "" if resource == "*" else f" on {resource}"
        refused = f"not allowed for {whose}{where}"
        if self.by:
            return f"{refused}: a {self.by} denies it, whatever else allows it. That must be changed"
        return f"{refused}. This statement in a policy of its own allows it: {compact(self.statement)}"


def denial(message: str, action: str, params: Mapping[str, Any]) -> Denial:
    """From AWS's *message*, where it says enough; else *action* is what was missing, on what *params* name."""
    who, what, where, by = (pattern.search(message) for pattern in (_WHO, _WHAT, _WHERE, _DENIED))
    resource = where[1] if where else _resource(params)
    return Denial(
        who=who[1] if who else "",
        statement={"Effect": "Allow", "Action": what[1] if what else action, "Resource": resource},
        by=by[1] if by else "",
    )


def trust(message: str, role: str) -> str:
    """What to do when *role* cannot be assumed. AWS says the same of a role that is not there."""
    found = _WHO.search(message)
    who = principal(found[1]) if found else "ARN of the runner's own user or role"
    trusting = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}
    granting = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    return (
        f"Does it exist? Its trust policy must have {compact(trusting)}, and whoever assumes it needs, from "
        f"another account always, a policy with {compact(granting)}"
    )


def principal(arn: str) -> str:
    """The role behind a session of it; policies name roles. A path of the role is not known and left out."""
    session = _SESSION.fullmatch(arn)
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else arn


def compact(statement: Mapping[str, Any]) -> str:
    return json.dumps(statement)


def _resource(params: Mapping[str, Any]) -> str:
    """The first ARN that a call names, else all resources."""
    return next((str(each) for each in params.values() if str(each).startswith("arn:")), "*")
