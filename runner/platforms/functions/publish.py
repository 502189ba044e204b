"""Publish: the pinned object in S3 becomes the function's code, and that a version, once.

Source: Lambda API reference, "UpdateFunctionCode", "PublishVersion": what has not changed since the last version is
published as that version.
"""

from collections.abc import Mapping
from typing import Any

from runner.aws import AwsError
from runner.model.functions import LambdaSpec
from runner.model.revision import S3Revision
from runner.platforms.functions.calls import CONFLICT, INVALID, NOT_FOUND, ActFailed, Lambda
from runner.platforms.functions.words import name_of

_LONGEST_DESCRIPTION = 256


class Publisher:
    """Publishes *code* as a version of the function of *spec*, for deployment *deployment_id*."""

    def __init__(self, aws: Lambda, spec: LambdaSpec, code: S3Revision, deployment_id: str) -> None:
        self._aws, self._code, self._deployment_id = aws, code, deployment_id
        self._name = {"FunctionName": spec.function}
        self._where = f"function {name_of(spec.function)} ({aws.place})"

    async def publish(self) -> str:
        """The version's number. Raises `ActFailed`."""
        try:
            published = await self._published_before() or await self._publish(await self._update_code())
            await self._until_active(published)
        except AwsError as error:
            raise self._refused(error) from error
        return str(published["Version"])

    async def _published_before(self) -> Mapping[str, Any] | None:
        """What this deployment has published already, before the process died. Lists do not tell the state."""
        found = await self._aws.all("list_versions_by_function", "Versions", **self._name)
        mine = [each for each in found if str(each.get("Description")).startswith(f"{self._deployment_id} ")]
        return {**mine[-1], "State": "Pending"} if mine else None

    async def _update_code(self) -> str:
        """The SHA-256 of the code, in base64, once the function has it."""
        source = {"S3Bucket": self._code.bucket, "S3Key": self._code.key, "S3ObjectVersion": self._code.version}
        self._aws.tell(f"Giving {self._where} the code {self._code.label}.")
        answer = await self._alone("update_function_code", **source)
        sha256: str = answer["CodeSha256"]
        end = self._aws.pace.clock() + self._aws.pace.settle
        while answer["CodeSha256"] != sha256 or answer.get("LastUpdateStatus") == "InProgress":
            if answer["CodeSha256"] != sha256 and self._aws.pace.clock() >= end:  # no read lags as long as this
                raise self._overtaken()
            await self._pause("takes the code")
            answer = await self._aws.call("get_function_configuration", **self._name)
        if answer.get("LastUpdateStatus") == "Failed":
            why = answer.get("LastUpdateStatusReason") or answer.get("LastUpdateStatusReasonCode")
            raise self._invalid(f"{self._where} could not take the code {self._code.label}: {why}")
        return sha256

    async def _publish(self, sha256: str) -> Mapping[str, Any]:
        """The version that has this code. Lambda refuses when the function has another by now."""
        text = f"{self._deployment_id} {self._code.label}"[:_LONGEST_DESCRIPTION]
        try:
            answer = await self._alone("publish_version", CodeSha256=sha256, Description=text)
        except AwsError as error:
            if error.aws_code == INVALID and "codesha" in error.message.lower():
                raise self._overtaken() from error
            raise
        self._aws.tell(f"Version {answer['Version']} has this code (CodeSha256 {sha256}).")
        return answer

    async def _until_active(self, version: Mapping[str, Any]) -> None:
        """Wait until it can be invoked. A version that has only just been made may not be found at first."""
        answer, end = version, self._aws.pace.clock() + self._aws.pace.settle
        while answer.get("State") == "Pending":
            await self._pause(f"makes version {version['Version']} ready")
            try:
                answer = await self._aws.call("get_function_configuration", **self._name, Qualifier=version["Version"])
            except AwsError as error:
                if error.aws_code != NOT_FOUND or self._aws.pace.clock() >= end:
                    raise
        if answer.get("State") == "Failed":
            why = answer.get("StateReason") or answer.get("StateReasonCode")
            raise self._invalid(f"version {version['Version']} of {self._where} cannot be invoked: {why}")

    async def _alone(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer of a change, which Lambda refuses while another one of the same function is under way."""
        told = False
        while True:
            try:
                return await self._aws.call(operation, **self._name, **params)
            except AwsError as error:
                if error.aws_code != CONFLICT or self._aws.is_late:
                    raise
                if not told:
                    self._aws.tell(f"Waiting, as another change is under way: {error.message}")
                told = True
            await self._aws.pause(self._aws.pace.slow)

    async def _pause(self, doing: str) -> None:
        if self._aws.is_late:
            raise ActFailed(
                "TIMEOUT", f"{self._where} {doing} for {self._aws.pace.limit / 60:.0f} min; it should be done"
            )
        await self._aws.pause(self._aws.pace.again)

    def _overtaken(self) -> ActFailed:
        return self._invalid(
            f"{self._where} was given other code by somebody else while {self._code.label} was being published. No "
            "version was made of it. Find out who did (CloudTrail, UpdateFunctionCode), then deploy again"
        )

    def _refused(self, error: AwsError) -> ActFailed:
        if error.aws_code in (NOT_FOUND, INVALID, CONFLICT):
            return self._invalid(error.message)
        return ActFailed(error.code, error.message)

    def _invalid(self, message: str) -> ActFailed:
        return ActFailed("INVALID_LAMBDA_FUNCTION", f"{message}.")
