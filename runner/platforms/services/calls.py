"""AWS as one deployment sees it: one place, and errors in CodeDeploy's words."""

from typing import Any, TypeVar

from runner.aws import Aws, AwsError
from runner.errors import Refused
from runner.model.aws import AwsPlace

T = TypeVar("T")

_REFUSALS = {"ecs": "ECS_UPDATE_ERROR", "elbv2": "ELASTIC_LOAD_BALANCING_INVALID"}


class Calls:
    """Calls of ECS and Elastic Load Balancing at *place*. Every method blocks, and raises `AwsError` or `Refused`."""

    def __init__(self, aws: Aws, place: AwsPlace) -> None:
        self._aws = aws
        self._place = place

    def ecs(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._call("ecs", operation, params)

    def elb(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._call("elbv2", operation, params)

    def ecs_pages(self, operation: str, key: str, **params: Any) -> list[Any]:
        return self._aws.pages(self._place, "ecs", operation, params, key)

    def elb_pages(self, operation: str, key: str, **params: Any) -> list[Any]:
        return self._aws.pages(self._place, "elbv2", operation, params, key)

    def _call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._aws.call(self._place, service, operation, params)
        except AwsError as error:
            if error.retryable or error.code != "INTERNAL_ERROR" or not error.aws_code:
                raise
            raise Refused(_REFUSALS[service], error.message) from error
