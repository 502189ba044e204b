"""Whether a function is fit for a deployment, and how its alias stands. Changes nothing; may block.

Source: CodeDeploy user guide, "Deployments on an AWS Lambda compute platform"; Lambda developer guide, "Lambda function
aliases" (what an alias with weights may point to).
"""

from typing import Any

from runner.aws import AwsError
from runner.errors import Refused, WorldError
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import TrafficJob
from runner.platforms.functions.alias import Alias, read
from runner.platforms.functions.calls import NOT_FOUND, Caller
from runner.platforms.functions.pace import Pace
from runner.platforms.functions.words import command, reset, where

LATEST = "$LATEST"


def inspect(aws: Caller, pace: Pace, job: TrafficJob) -> LambdaState:
    """Raises `Refused` with CodeDeploy's error code, or `WorldError`."""
    assert isinstance(job.spec, LambdaSpec)
    found = _Inspection(aws, pace, job, job.spec)
    return found.of_rollback(job.restoring) if isinstance(job.restoring, LambdaState) else found.of_deployment()


class _Inspection:
    def __init__(self, aws: Caller, pace: Pace, job: TrafficJob, spec: LambdaSpec) -> None:
        self._aws, self._pace, self._place, self._spec = aws, pace, job.place, spec

    def of_deployment(self) -> LambdaState:
        spec = self._spec
        self._check_spec()
        end = self._pace.clock() + self._pace.settle
        while True:
            alias = self._alias(spec.function, spec.alias)
            problem = self._problem(alias)
            if problem is None:
                break
            if self._pace.clock() >= end:
                raise _configuration(problem)
            self._pace.nap(self._pace.again)  # the read may show what was there before the last deployment ended
        if spec.target_version is not None:
            self._check_version(spec.target_version)
        return LambdaState(
            function=spec.function,
            alias=spec.alias,
            current_version=alias.split.version,
            target_version=spec.target_version,
            revision_id=alias.revision_id or None,
        )

    def of_rollback(self, left: LambdaState) -> LambdaState:
        """The way back: what was current becomes the target again."""
        self._alias(left.function, left.alias)
        return LambdaState(
            function=left.function,
            alias=left.alias,
            current_version=left.target_version or left.current_version,
            target_version=left.current_version,
            weight=100 - left.weight,
            revision_id=left.revision_id,
        )

    def _check_spec(self) -> None:
        spec = self._spec
        if LATEST in (spec.current_version, spec.target_version):
            raise _configuration(f"traffic is moved between published versions only; {LATEST} is none")
        if spec.target_version is not None and spec.target_version == spec.current_version:
            raise _configuration(
                f"TargetVersion and CurrentVersion of {spec.function} are both {spec.target_version}: nothing would move"
            )
        if spec.code is not None and spec.code.version is None:
            raise Refused(
                "INVALID_REVISION",
                f"{spec.code.label} is not held by a version, so Lambda could fetch something else; switch on versions "
                f"of bucket {spec.code.bucket} and set `pin: version`",
            )

    def _problem(self, alias: Alias) -> str | None:
        spec, split = self._spec, alias.split
        name = where(self._place, spec.function, spec.alias)
        if split.shares:
            back = reset(self._place, spec.function, spec.alias, split.version)
            return (
                f"{name} must send all requests to one version, and sends them to {split}. If a deployment of Penstock left "
                f"it so: `penstock rollback ID`, with the ID of that one. Else, to give all to one: {back}"
            )
        if split.version == LATEST:
            made = f"`{command(self._place, 'publish-version', spec.function)}`"
            back = reset(self._place, spec.function, spec.alias)
            return f"{name} points to {LATEST}, which cannot share traffic; publish a version ({made}), then {back}"
        if spec.current_version not in (None, split.version):
            return f"{name} points to version {split.version}, but CurrentVersion is {spec.current_version}; correct it"
        if spec.target_version == split.version:
            return f"{name} points to version {split.version} already, which is the TargetVersion: nothing would move"
        return None

    def _alias(self, function: str, name: str) -> Alias:
        try:
            return read(self._ask("get_alias", FunctionName=function, Name=name))
        except AwsError as error:
            if error.aws_code != NOT_FOUND:
                raise
            self._check_function(function, error)
            made = f"{command(self._place, 'create-alias', function)} --name {name} --function-version VERSION"
            missing = f"{where(self._place, function, name)} does not exist; `{made}` makes it"
            raise _configuration(missing) from error

    def _check_function(self, function: str, cause: AwsError) -> None:
        """Raises when the function is what is missing. Who may not ask is told of the alias."""
        try:
            self._ask("get_function_configuration", FunctionName=function)
        except AwsError as error:
            if error.aws_code == NOT_FOUND:
                text = f"there is no function {function} in {self._place}; is the region right, and the account?"
                raise Refused("INVALID_LAMBDA_FUNCTION", text) from cause

    def _check_version(self, version: str) -> None:
        """CodeDeploy's own managed policy does not allow this question; then the first shift of traffic answers it."""
        function = self._spec.function
        try:
            answer = self._ask("get_function_configuration", FunctionName=function, Qualifier=version)
        except AwsError as error:
            if error.aws_code == NOT_FOUND:
                listed = f"`{command(self._place, 'list-versions-by-function', function)}`"
                text = f"function {function} ({self._place}) has no version {version}; {listed} shows those it has"
                raise _configuration(text) from error
            if error.code == "IAM_ROLE_PERMISSIONS" and not error.retryable:
                return
            raise
        if answer.get("State") == "Failed":
            reason = answer.get("StateReason") or answer.get("StateReasonCode") or "no reason is given"
            text = f"version {version} of function {function} ({self._place}) cannot be invoked: {reason}"
            raise Refused("INVALID_LAMBDA_FUNCTION", text)
        if answer.get("State") == "Pending":
            raise WorldError(f"version {version} of function {function} ({self._place}) is still being made ready")

    def _ask(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._aws.call(self._place, "lambda", operation, params, patience=self._pace.patience)


def _configuration(message: str) -> Refused:
    return Refused("INVALID_LAMBDA_CONFIGURATION", message)
