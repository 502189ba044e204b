"""AWS as one deployment sees it: one place, and errors in CodeDeploy's words."""

from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import Refused, WorldError
from runner.model.aws import AwsPlace

_REFUSALS = {"ecs": "ECS_UPDATE_ERROR", "elbv2": "ELASTIC_LOAD_BALANCING_INVALID"}


class Calls:
    """Calls of ECS and Elastic Load Balancing at *place*. Every method blocks, and raises `AwsError` or `Refused`."""

    def __init__(self, aws: Aws, place: AwsPlace) -> None:
        self._aws = aws
        self._place = place
        self._over = False

    def end(self) -> None:
        """No call begins after this: a thread that nobody waits for any more leaves the rest undone."""
        self._over = True

    def ecs(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._call("ecs", operation, params)

    def elb(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._call("elbv2", operation, params)

    def ecs_pages(self, operation: str, key: str, **params: Any) -> list[Any]:
        return self._pages("ecs", operation, key, params)

    def elb_pages(self, operation: str, key: str, **params: Any) -> list[Any]:
        return self._pages("elbv2", operation, key, params)

    def _pages(self, service: str, operation: str, key: str, params: dict[str, Any]) -> list[Any]:
        self._check()
        return self._aws.pages(self._place, service, operation, params, key)

    def _call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self._check()
        try:
            return self._aws.call(self._place, service, operation, params)
        except AwsError as error:
            if error.retryable or error.code != "INTERNAL_ERROR" or not error.aws_code:
                raise
            raise Refused(_REFUSALS[service], error.message) from error

    def _check(self) -> None:
        if self._over:
            raise WorldError("the act was cut off")
