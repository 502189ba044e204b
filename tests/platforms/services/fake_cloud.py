"""A fake of `runner.aws.Aws` for ECS and load balancers: in memory, with lag, throttling, crashes, and a clock of its own.

What it takes and gives is checked against botocore's models; `test_fake_cloud.py` holds it to what corrected moto does.
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from platforms.services.fake_operations import OPERATIONS, Answered, No
from platforms.services.fake_world import World

from runner.aws import translating
from runner.model.aws import AwsPlace

_READS = ("describe_", "list_")


class Killed(BaseException):
    """The process that made the call dies."""


class FakeCloud:
    """*world* is what is; a test may change it at any time, as other people do.

    *lag*: seconds by which reads are late. *throttled*: numbers of calls (from 1) that are refused once.
    *dies_at*: number of the mutating call at which the caller dies; *dies_before*: before it takes effect.
    *watch*: called after every change.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.lag = 0.0
        self.throttled: set[int] = set()
        self.dies_at: int | None = None
        self.dies_before = False
        self.silent = False
        self.watch: Callable[[World], None] = lambda world: None
        self.on_call: Callable[[str, dict[str, Any]], None] = lambda operation, params: None
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self._history: list[World] = [world.copy()]
        self._lock = threading.Lock()

    def clock(self) -> dt.datetime:
        return self.world.time()

    async def pause(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            end = self.world.now + seconds
            while self.world.now < end:
                self.world.tick(min(1.0, end - self.world.now))
                self._changed()

    def call(
        self, place: AwsPlace, service: str, operation: str, params: Mapping[str, Any], **limits: float
    ) -> dict[str, Any]:
        with self._lock:
            try:
                return self._call(service, operation, dict(params))
            except No as no:
                error = {"Error": {"Code": no.code, "Message": no.message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
                asked = translating.Call(place, service, operation, params)
                raise translating.of_response(asked, ClientError(error, operation)).error from None

    def pages(
        self, place: AwsPlace, service: str, operation: str, params: Mapping[str, Any], key: str, **limits: float
    ) -> list[Any]:
        found: list[Any] = self.call(place, service, operation, params)[key]
        return found

    def _call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        model = operation_model(service, operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        self.on_call(operation, params)
        self.calls.append((operation, params))
        if self.silent or len(self.calls) in self.throttled:
            raise No("ThrottlingException", "Rate exceeded")
        if operation.startswith(_READS):
            answer = OPERATIONS[operation](self._past(), params)
        else:
            answer = self._change(operation, params)
        check_shape(model.output_shape, answer, operation)
        return answer

    def _change(self, operation: str, params: dict[str, Any]) -> Answered:
        dying = self.dies_at is not None and len(self.changes) + 1 >= self.dies_at
        if dying and self.dies_before:
            self.dies_at = None
            raise Killed
        self.changes.append((operation, params))
        answer = OPERATIONS[operation](self.world, params)
        self.world.tick(0.01)
        self._changed()
        if dying:
            self.dies_at = None
            raise Killed
        return answer

    def _changed(self) -> None:
        self.watch(self.world)
        if not self.lag:
            return
        self._history.append(self.world.copy())
        oldest = self.world.now - self.lag - 1
        while len(self._history) > 1 and self._history[1].now <= oldest:
            self._history.pop(0)

    def _past(self) -> World:
        """As it was so long ago; without a lag, as it is, with what a test has changed."""
        if not self.lag:
            return self.world
        known = [each for each in self._history if each.now <= self.world.now - self.lag]
        return known[-1] if known else self._history[0]


@cache
def operation_model(service: str, operation: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(next(name for name in model.operation_names if xform_name(name) == operation))


def check_shape(shape: Any, value: Any, where: str) -> None:
    """Every member that the fake gives is one that AWS gives, and of its type."""
    if shape.type_name == "structure":
        for name, each in value.items():
            assert name in shape.members, f"{where}: AWS gives no {name}"
            check_shape(shape.members[name], each, f"{where}.{name}")
    elif shape.type_name == "list":
        for each in value:
            check_shape(shape.member, each, where)
    else:
        assert isinstance(value, _TYPES[shape.type_name]), f"{where}: {value!r} is no {shape.type_name}"


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "timestamp": (dt.datetime,),
    "map": (dict,),
}
