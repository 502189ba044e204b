"""Invocations of a function in parallel, for as long as something else happens, and what became of each.

with Invocations(aws, "orders", "live") as load:
    load.wait_for(200)
assert not load.failures and load.share("2", last=200) == pytest.approx(0.1, abs=0.05)
"""

import json
import threading
import time
from collections import Counter
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from support.cloud import Cloud

_PATIENCE = 60.0  # seconds
_PAUSE = 0.002  # seconds between a client's invocations; the cloud needs the processor, too


class Invocations:
    """*parallel* clients, until the block ends. *qualifier*: an alias or a version.

    The function must answer as `support.functions.greeting` does; what differs from the version that Lambda says it
    executed is a failure, and so is an error.
    """

    def __init__(self, aws: Cloud, function: str, qualifier: str, parallel: int = 4) -> None:
        self._client, self._function, self._qualifier = aws.client("lambda"), function, qualifier
        self.versions: list[str] = []  # that were executed, in the order in which the answers came
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(parallel)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def wait_for(self, answers: int) -> None:
        """Until so many more invocations have ended."""
        wanted, limit = self._done() + answers, time.monotonic() + _PATIENCE
        while self._done() < wanted:
            assert time.monotonic() < limit, f"{len(self.versions)} answers, {self.failures[:3]}"
            time.sleep(0.005)

    def shares(self, last: int | None = None) -> Counter[str]:
        """How often each version was executed, in all or among the *last* answers."""
        return Counter(self.versions if last is None else self.versions[-last:])

    def share(self, version: str, last: int) -> float:
        return self.shares(last)[version] / last

    def _done(self) -> int:
        return len(self.versions) + len(self.failures)

    def _run(self) -> None:
        while not self._over.wait(_PAUSE):
            try:
                self._invoke()
            except (BotoCoreError, ClientError, ValueError) as error:
                self.failures.append(repr(error))

    def _invoke(self) -> None:
        answer = self._client.invoke(FunctionName=self._function, Qualifier=self._qualifier, Payload=b"{}")
        said = json.loads(answer["Payload"].read())
        if answer.get("FunctionError") or said["function_version"] != answer["ExecutedVersion"]:
            self.failures.append(json.dumps(said))
        else:
            self.versions.append(answer["ExecutedVersion"])
