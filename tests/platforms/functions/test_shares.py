"""Traffic is observed: invocations of the alias, without a pause, while a deployment moves it; and none of them fails."""

import asyncio
import threading
from collections import Counter

import pytest
from function_cases import Deployment, job, shift
from support.cloud import Cloud
from support.functions import greeting, make_function, publish, shares

from runner.aws import Aws
from runner.platforms.functions.pace import Pace

CALLS = 200


@pytest.fixture
def deployment(aws: Cloud) -> Deployment:
    make_function(aws, "resize", greeting(1))
    publish(aws, "resize", greeting(2))
    aws.client("lambda").create_alias(FunctionName="resize", Name="live", FunctionVersion="1")
    return Deployment(Aws(), Pace(settle=1.0, again=0.05), job())


class Load:
    """Invokes the alias until it is left; `seen`: what executed the invocations."""

    def __init__(self, aws: Cloud) -> None:
        self._aws, self._over = aws, threading.Event()
        self.seen: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.is_set():
            self.seen += shares(self._aws, "resize", "live", 10)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def observed(aws: Cloud) -> float:
    """The new version's part of the next invocations."""
    seen = shares(aws, "resize", "live", CALLS)
    assert set(seen) <= {"1", "2"}
    return seen["2"] / CALLS


async def test_each_version_gets_the_share_that_was_asked_for(aws: Cloud, deployment: Deployment) -> None:
    with Load(aws) as load:
        for weight in (10, 60):
            assert (await deployment.act(shift(weight))).succeeded
            # Five standard deviations of a fair split: what chance does once in two million runs.
            assert abs(await asyncio.to_thread(observed, aws) - weight / 100) < 5 * (0.25 / CALLS) ** 0.5
        assert (await deployment.act(shift(100))).succeeded
        assert await asyncio.to_thread(observed, aws) == 1
    assert set(load.seen) == {"1", "2"}


async def test_a_rollback_takes_the_traffic_back_without_a_failure(aws: Cloud, deployment: Deployment) -> None:
    with Load(aws) as load:
        assert (await deployment.act(shift(40))).succeeded
        assert await asyncio.to_thread(observed, aws) > 0
        undone = job(deployment_id="d-ROLLBACK1", restoring=deployment.state)
        back = Deployment(Aws(), Pace(settle=1.0, again=0.05), undone)
        assert (await back.act(shift(100))).succeeded
        assert await asyncio.to_thread(observed, aws) == 0
    assert set(load.seen) == {"1", "2"}
