"""Calls to AWS, for everything that deploys there. boto3 is imported by the first call, and its errors stay here."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from runner.aws import translating
from runner.aws.budget import Budget
from runner.aws.clients import Clients
from runner.aws.errors import AwsError
from runner.aws.pages import next_page
from runner.aws.translating import Call, Trouble
from runner.model.aws import AwsPlace, AwsSettings

__all__ = ["Aws", "AwsError"]

_FIRST = {"again": 0.2, "slower": 1.0}  # seconds before the first repetition; twice as long each time
_MOST = 15.0
_SETTINGS = AwsSettings()


class Aws:
    """One for a process; thread-safe. Every method blocks."""

    def __init__(
        self,
        settings: AwsSettings = _SETTINGS,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._clients = Clients()
        self._budget = Budget(settings.requests_per_second, now, sleep)
        self._accounts: dict[AwsPlace, str] = {}
        self._sleep = sleep
        self._now = now

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
        """Call *operation* (`update_alias`) of *service* (boto3's names) and return its answer; bodies are read to bytes.

        Waits for its turn in the budget. Throttling is waited out, and so are failures of AWS and of the network where
        sending the call twice does no harm, for *patience* seconds of waiting at most. *timeout*: seconds of silence that
        end one attempt. Raises `AwsError`; after one that is retryable it may be unknown whether the call was carried out.
        """
        call = Call(place := self.acting(place), service, operation, params)
        end, failures, renewed = self._now() + patience, 0, False
        while True:
            self._budget.wait(place, call.name, end)
            generation = self._clients.generation(place)
            answer = self._attempt(call, timeout)
            if isinstance(answer, dict):
                return answer
            failures += 1
            if answer.remedy == "new credentials" and not renewed:
                renewed = True
                self._clients.forget(place, generation)
                continue
            left = end - self._now()
            if answer.remedy not in _FIRST or left <= 0:
                raise answer.error
            pause = min(_pause(_FIRST[answer.remedy], failures), left)
            if answer.remedy == "slower":
                self._budget.pause(place, call.name, pause / 2)
            self._sleep(pause)

    def pages(
        self, place: AwsPlace, service: str, operation: str, params: Mapping[str, Any], key: str, **limits: float
    ) -> list[Any]:
        """The items below *key* of all pages. *limits*: as `call` takes them, for each page."""
        items: list[Any] = []
        asked: dict[str, Any] | None = dict(params)
        while asked is not None:
            answer = self.call(place, service, operation, asked, **limits)
            items += answer.get(key) or []
            asked = next_page(service, operation, asked, answer)
        return items

    def account(self, place: AwsPlace) -> str:
        """The number of the account that the credentials of *place* belong to. Asked once."""
        place = self.acting(place)
        if place not in self._accounts:
            self._accounts[place] = str(self.call(place, "sts", "get_caller_identity", {})["Account"])
        return self._accounts[place]

    def region(self, place: AwsPlace) -> str:
        """The region of *place*: its own, or the one that boto3 finds. Raises `AwsError`. Asks nobody."""
        call = Call(self.acting(place), "sts", "get_caller_identity", {})
        made = self._made(call, 30.0)
        if isinstance(made, Trouble):
            raise made.error
        return str(made.meta.region_name)

    def acting(self, place: AwsPlace) -> AwsPlace:
        """*place* as it is worked on: without its role where the configuration says that roles are not assumed."""
        return place if self.settings.assume_service_roles else AwsPlace(region=place.region)

    def _made(self, call: Call, timeout: float) -> Any | Trouble:
        """The client for *call*."""
        from botocore.exceptions import BotoCoreError

        try:
            return self._clients.client(call.place, call.service, timeout)
        except (BotoCoreError, ValueError) as error:
            return translating.of_silence(call, error).because(error)

    def _attempt(self, call: Call, timeout: float) -> dict[str, Any] | Trouble:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        client = self._made(call, timeout)
        if isinstance(client, Trouble):
            return client
        try:
            answer: dict[str, Any] = getattr(client, call.operation)(**call.params)
            return {key: _whole(value) for key, value in answer.items()}
        except ClientError as error:
            return translating.of_response(call, error).because(error)
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            return translating.of_silence(call, error).because(error)


def _pause(first: float, failures: int) -> float:
    """Seconds before the next attempt: somewhere between half and all of a time that doubles."""
    return min(first * 2.0 ** min(failures - 1, 30), _MOST) * (0.5 + random.random() / 2)


def _whole(value: Any) -> Any:
    """A body that would still have to be read, read."""
    return value.read() if hasattr(value, "read") else value
