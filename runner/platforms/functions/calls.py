"""Lambda, asked on behalf of one act, which outlives an hour of throttling or silence."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from runner.aws import AwsError
from runner.model.aws import AwsPlace
from runner.platforms.functions.pace import Pace
from runner.ports import Report
from runner.threads import in_thread

CONFLICT = "ResourceConflictException"  # another change of the function is under way
NOT_FOUND = "ResourceNotFoundException"
PRECONDITION = "PreconditionFailedException"
INVALID = "InvalidParameterValueException"
_LONGEST_PAUSE = 30.0  # seconds


class Caller(Protocol):
    """What is needed of `runner.aws.Aws`."""

    def call(
        self,
        place: AwsPlace,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        patience: float = 60.0,
        timeout: float = 30.0,
    ) -> dict[str, Any]: ...

    def pages(
        self, place: AwsPlace, service: str, operation: str, params: Mapping[str, Any], key: str, **limits: float
    ) -> list[Any]: ...


class ActFailed(Exception):
    """An act ends badly. *code*: CodeDeploy's. *message*: for an engineer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Lambda:
    """Lambda at *place*, for one act: its hour begins now. What is waited for is told to *report*."""

    def __init__(self, aws: Caller, place: AwsPlace, pace: Pace, report: Report) -> None:
        self._aws, self.place, self.pace, self._report = aws, place, pace, report
        self._end = pace.clock() + pace.limit

    @property
    def is_late(self) -> bool:
        return self.pace.clock() >= self._end

    def tell(self, line: str) -> None:
        self._report(f"{line}\n")

    async def pause(self, seconds: float) -> None:
        await self.pace.sleep(seconds)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer of *operation*, which must be safe to repeat. Raises `AwsError`."""
        patience = self.pace.patience
        ask = partial(self._aws.call, self.place, "lambda", operation, params, patience=patience)
        return await self._lasting(lambda: in_thread(ask))  # type: ignore[no-any-return]

    async def all(self, operation: str, key: str, **params: Any) -> list[Any]:
        """The items of all its pages. Raises `AwsError`."""
        patience = self.pace.patience
        ask = partial(self._aws.pages, self.place, "lambda", operation, params, key, patience=patience)
        return await self._lasting(lambda: in_thread(ask))  # type: ignore[no-any-return]

    async def _lasting(self, ask: Any) -> Any:
        wait = 1.0
        while True:
            try:
                return await ask()
            except AwsError as error:
                if not error.retryable or self.is_late:
                    raise
                self.tell(f"{error.message}. Trying again in {wait:g} s.")
            await self.pause(wait)
            wait = min(wait * 2, _LONGEST_PAUSE)
