"""The errors of the house, in three families that answer one question: who must act?

A `UserError` is the user's to mend and says where. A `WorldError` is the outside's failure, retryable or not.
Anything else that escapes is our bug. A script that fails on a host is none of these: it is an outcome.
"""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple


class RunnerError(Exception):
    """Root of every error that we raise on purpose. `code` is the CodeDeploy exception or error code, where one exists."""

    code: str = "InternalError"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())

    @property
    def message(self) -> str:
        return str(self)


class UserError(RunnerError):
    """Something that the user wrote or asked for is wrong; trying again changes nothing."""

    code = "InvalidInputException"


class Refused(UserError):
    """A call that CodeDeploy's API refuses, by the name of its exception: `Refused("InvalidTagException", "...")`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class WorldError(RunnerError):
    """The outside failed: a network, a disk, a service. `retryable` says whether waiting may help."""

    code = "ServiceException"

    def __init__(self, message: str = "", *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class Throttled(WorldError):
    """A service that wants to be left alone for so long."""

    def __init__(self, message: str, wait: dt.timedelta) -> None:
        super().__init__(message)
        self.wait = wait


class Mistake(NamedTuple):  # a dataclass would cost `penstock validate` a tenth of its time
    """One mistake in one file. `line` counts from 1; 0 means the file as a whole. `path` is dotted, "" for the root."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


def dotted(path: Iterable[object]) -> str:
    """Keys and indices as people write them: `rollouts.careful.steps[0].batch`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


class InvalidFiles(UserError):
    """Files with mistakes, all of them at once."""

    code = "InvalidRevisionException"

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


class InvalidRevision(UserError):
    """A revision that does not exist, changed, or cannot be deployed."""

    code = "InvalidRevisionException"


class RevisionDoesNotExist(InvalidRevision):
    """The named commit or object is not there."""

    code = "RevisionDoesNotExistException"


class DeploymentDoesNotExist(UserError):
    code = "DeploymentDoesNotExistException"


class ApplicationDoesNotExist(UserError):
    code = "ApplicationDoesNotExistException"


class DeploymentGroupDoesNotExist(UserError):
    code = "DeploymentGroupDoesNotExistException"


class ApplicationAlreadyExists(UserError):
    code = "ApplicationAlreadyExistsException"


class DeploymentAlreadyCompleted(UserError):
    code = "DeploymentAlreadyCompletedException"


class DeploymentIsNotInReadyState(UserError):
    code = "DeploymentIsNotInReadyStateException"


class NoInstances(UserError):
    code = "NO_INSTANCES"


class AgentsNotServed(UserError):
    """Hosts have agents, which ask `penstock serve` for their commands, and this process does not listen."""

    code = "AGENT_ISSUE"


class InvalidLoadBalancer(UserError):
    """A deployment group's load balancer is not known, or a host is no server of it."""

    code = "ELASTIC_LOAD_BALANCING_INVALID"


class LoadBalancerFailed(WorldError):
    """A load balancer cannot be reached, refuses, or does not do what it was told."""

    code = "ELASTIC_LOAD_BALANCING_INVALID"


class HealthConstraintsInvalid(UserError):
    code = "HEALTH_CONSTRAINTS_INVALID"


class StateFolderBusy(WorldError):
    """Another server already drives this state folder."""

    code = "ResourceInUseException"

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retryable=False)
