"""Lambda in memory, as `runner.aws.Aws` shows it: functions, versions, aliases, reads that lag, and what goes wrong.

It has a clock of its own, which only waiting moves. The same contract suite runs on it and on the cloud of the rig
(tests/contracts/test_functions_contract.py).
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from runner.aws import AwsError
from runner.model.aws import AwsPlace
from runner.platforms.functions.pace import Pace

CODES = {"ResourceNotFoundException": "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"}
CHANGES = ("update_alias", "update_function_code", "publish_version")


class FakeFunctions:
    """*before* and *after* are called with the operation's name, around its effect, and may raise what they like."""

    def __init__(self, *, lag: float = 0.0) -> None:
        self.lag = lag
        self.now = 0.0
        self.made: list[tuple[str, dict[str, Any]]] = []  # changes that took effect, in order
        self.reads = 0
        self.objects: dict[tuple[str, str, str], str] = {}  # bucket, key, version -> CodeSha256
        self.takes_code_for = 0.0  # seconds
        self.before: Callable[[str], None] = lambda operation: None
        self.after: Callable[[str], None] = lambda operation: None
        self._functions: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[float, dict[str, dict[str, Any]]]] = []
        self._revisions = 0

    @property
    def pace(self) -> Pace:
        async def sleep(seconds: float) -> None:
            self.now += seconds

        def nap(seconds: float) -> None:
            self.now += seconds

        return Pace(clock=lambda: self.now, sleep=sleep, nap=nap)

    # What people do.

    def function(self, name: str, sha256: str = "first") -> None:
        self._functions[name] = {"sha256": sha256, "versions": [], "aliases": {}, "busy_until": 0.0, "revision": 0}
        self._keep()

    def version(self, name: str, sha256: str, **config: Any) -> str:
        """Publish without looking at what is there."""
        versions = self._functions[name]["versions"]
        versions.append({"Version": str(len(versions) + 1), "CodeSha256": sha256, "Description": "", **config})
        self._keep()
        return str(len(versions))

    def alias(self, name: str, alias: str, version: str, **shares: float) -> None:
        """*shares*: `v2=0.1`. Also what a stranger does."""
        weights = {key.removeprefix("v"): share for key, share in shares.items()}
        self._functions[name]["aliases"][alias] = self._alias(alias, version, weights)
        self._keep()

    def remove_alias(self, name: str, alias: str) -> None:
        del self._functions[name]["aliases"][alias]
        self._keep()

    def code(self, name: str, sha256: str) -> None:
        self._functions[name]["sha256"] = sha256
        self._keep()

    def split(self, name: str, alias: str) -> dict[str, float]:
        """Version to its part of the requests, truly and now."""
        found = self._functions[name]["aliases"][alias]
        weights = dict(found["RoutingConfig"]["AdditionalVersionWeights"])
        return {found["FunctionVersion"]: round(1 - sum(weights.values()), 6), **weights}

    def versions(self, name: str) -> list[dict[str, Any]]:
        return list(self._functions[name]["versions"])

    # What `Aws` does.

    def call(
        self,
        place: AwsPlace,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        patience: float = 60.0,
        timeout: float = 30.0,
    ) -> dict[str, Any]:
        assert service == "lambda"
        self.before(operation)
        answer: dict[str, Any] = copy.deepcopy(getattr(self, f"_{operation}")(dict(params)))
        if operation in CHANGES:
            self.made.append((operation, dict(params)))
            self._keep()
        else:
            self.reads += 1
        self.after(operation)
        return answer

    def pages(
        self, place: AwsPlace, service: str, operation: str, params: Mapping[str, Any], key: str, **limits: float
    ) -> list[Any]:
        return list(self.call(place, service, operation, params)[key])

    def _get_alias(self, params: dict[str, Any]) -> dict[str, Any]:
        aliases = self._found(self._seen(), params)["aliases"]
        if params["Name"] not in aliases:
            raise refusal("ResourceNotFoundException", f"Cannot find alias arn: {params['Name']}")
        return aliases[params["Name"]]  # type: ignore[no-any-return]

    def _get_function_configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._found(self._seen(), params)
        if "Qualifier" in params:
            return {"State": "Active", **self._version(found, params["Qualifier"])}
        return self._latest(found)

    def _list_versions_by_function(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._found(self._seen(), params)
        return {"Versions": [{"Version": "$LATEST", "CodeSha256": found["sha256"]}, *found["versions"]]}

    def _update_alias(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._found(self._functions, params)
        alias = found["aliases"].get(params["Name"])
        if alias is None:
            raise refusal("ResourceNotFoundException", f"Cannot find alias arn: {params['Name']}")
        if params.get("RevisionId") not in (None, alias["RevisionId"]):
            raise refusal("PreconditionFailedException", "The Revision Id provided does not match")
        weights = params["RoutingConfig"]["AdditionalVersionWeights"]
        for version in (params["FunctionVersion"], *weights):
            self._version(found, version)
        if any(not 0 <= weight <= 1 for weight in weights.values()):
            raise refusal("ValidationException", "a weight is a number from 0 to 1")
        found["aliases"][params["Name"]] = self._alias(params["Name"], params["FunctionVersion"], weights)
        return found["aliases"][params["Name"]]  # type: ignore[no-any-return]

    def _update_function_code(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._found(self._functions, params)
        self._check_idle(found)
        sha256 = self.objects.get((params["S3Bucket"], params["S3Key"], params["S3ObjectVersion"]))
        if sha256 is None:
            raise refusal("InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey")
        found["sha256"], found["busy_until"] = sha256, self.now + self.takes_code_for
        return self._latest(found)

    def _publish_version(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._found(self._functions, params)
        self._check_idle(found)
        if params.get("CodeSha256") not in (None, found["sha256"]):
            raise refusal(
                "InvalidParameterValueException", "CodeSHA256 is different from current CodeSHA256 in $LATEST"
            )
        versions = found["versions"]
        if not versions or versions[-1]["CodeSha256"] != found["sha256"]:
            made = {"Version": str(len(versions) + 1), "CodeSha256": found["sha256"]}
            versions.append({**made, "Description": params.get("Description", "")})
        return {"State": "Active", **versions[-1]}

    # Inside.

    def _check_idle(self, found: dict[str, Any]) -> None:
        if self.now < found["busy_until"]:
            raise refusal("ResourceConflictException", "An update is in progress for resource")

    def _latest(self, found: dict[str, Any]) -> dict[str, Any]:
        status = "InProgress" if self.now < found["busy_until"] else "Successful"
        return {"Version": "$LATEST", "CodeSha256": found["sha256"], "State": "Active", "LastUpdateStatus": status}

    def _found(self, functions: dict[str, dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        if params["FunctionName"] not in functions:
            raise refusal("ResourceNotFoundException", f"Function not found: {params['FunctionName']}")
        return functions[params["FunctionName"]]

    def _version(self, found: dict[str, Any], wanted: str) -> dict[str, Any]:
        for version in found["versions"]:
            if version["Version"] == wanted:
                return version  # type: ignore[no-any-return]
        raise refusal("ResourceNotFoundException", f"Function not found: {wanted}")

    def _alias(self, alias: str, version: str, weights: dict[str, float]) -> dict[str, Any]:
        self._revisions += 1
        made = {"Name": alias, "FunctionVersion": version, "RevisionId": f"revision-{self._revisions}"}
        return {**made, "RoutingConfig": {"AdditionalVersionWeights": dict(weights)}}

    def _keep(self) -> None:
        self._history.append((self.now, copy.deepcopy(self._functions)))

    def _seen(self) -> dict[str, dict[str, Any]]:
        """What a read shows: how it was *lag* seconds ago."""
        old = [functions for at, functions in self._history if at <= self.now - self.lag]
        return old[-1] if old else self._history[0][1]


def refusal(aws_code: str, message: str) -> AwsError:
    """What AWS answers once and for all."""
    code = CODES.get(aws_code, "INTERNAL_ERROR")
    return AwsError(f"{aws_code}: {message}", code=code, operation="lambda:Any", aws_code=aws_code)


def throttled() -> AwsError:
    return AwsError("throttled", code="THROTTLED", operation="lambda:Any", aws_code="Throttling", retryable=True)


def unanswered() -> AwsError:
    return AwsError("not answered", code="TIMEOUT", operation="lambda:Any", retryable=True)


def denied() -> AwsError:
    return AwsError("no permission", code="IAM_ROLE_PERMISSIONS", operation="lambda:Any", aws_code="AccessDenied")
