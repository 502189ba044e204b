"""The driver on a real store and a fake platform: it does what the store says, whatever happens to either."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from fakes.platform import FakePlatform
from fakes.traffic_platform import FakeTrafficPlatform
from store_cases import EVENTS, PIPELINE, group, manifest, revision
from waiting import until

from runner.errors import WorldError
from runner.execute.driver import Driver
from runner.model.appspec import AppSpec
from runner.model.command import Command, Outcome
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, Options
from runner.model.manifest import Manifest
from runner.model.revision import Bundle
from runner.model.target import Diagnostics, Host
from runner.model.work import PreparationFailed, Prepared, Wish
from runner.store.logs import LogFiles
from runner.store.store import Store


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def prepare(deployment: Deployment) -> Prepared:
    return Prepared(
        deployment_id=deployment.id,
        bundle=Bundle(path="/b", bundle_type="tar", sha256="00", size=1),
        appspec=AppSpec(),
        hosts=(Host(name="web-1", folder="/h"), Host(name="web-2", folder="/h")),
    )


def deploy(store: Store, what: Manifest) -> str:
    wish = Wish(manifest=what, revision=revision("1"))
    return store.create_releases("shop", [wish], "user", Options(), now())[0]


class Bench:
    """A store, a platform, and drivers that come and go."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, PIPELINE)
        self.logs = LogFiles(folder / "logs")
        self.platform = FakePlatform()
        self.prepare = prepare

    def driver(self) -> Driver:
        return Driver(
            self.store, self.platform, FakeTrafficPlatform(), lambda each: self.prepare(each.deployment), self.logs, now
        )

    def deploy(self) -> str:
        one = manifest(group("production"))
        return deploy(self.store, one)

    def status(self, deployment_id: str) -> DeploymentStatus:
        return self.store.deployment(deployment_id).status

    async def run_to_the_end(self, deployment_id: str) -> Deployment:
        driver = self.driver()
        running = asyncio.create_task(driver.run())
        await until(lambda: self.status(deployment_id).is_terminal)
        driver.drain()
        await running
        return self.store.deployment(deployment_id)


@pytest.fixture
def bench(tmp_path: Path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


async def test_every_event_of_every_target_is_run_once(bench: Bench) -> None:
    deployment_id = bench.deploy()
    assert (await bench.run_to_the_end(deployment_id)).status is DeploymentStatus.SUCCEEDED
    assert sorted(bench.platform.ran) == sorted(
        (deployment_id, host, event, 1) for host in ("web-1", "web-2") for event in EVENTS
    )
    assert bench.logs.read(deployment_id, "web-1") == "".join(f"LifecycleEvent - {event}\n" for event in EVENTS)


async def test_what_another_process_wrote_is_noticed_soon(bench: Bench) -> None:
    driver = bench.driver()
    running = asyncio.create_task(driver.run())
    await asyncio.sleep(0.1)
    other = Store(bench.store._db.folder, PIPELINE)
    made = deploy(other, manifest(group("production")))
    other.close()
    await until(lambda: bench.status(made).is_terminal, within=3)
    driver.drain()
    await running


async def test_draining_waits_for_what_is_in_flight_and_starts_nothing(bench: Bench) -> None:
    released = asyncio.Event()

    async def slow(command: Command, report: object) -> Outcome:
        await released.wait()
        return Outcome(succeeded=True)

    bench.platform.script = slow
    deployment_id = bench.deploy()
    driver = bench.driver()
    running = asyncio.create_task(driver.run())
    await until(lambda: len(bench.platform.ran) == 2)
    driver.drain()
    await asyncio.sleep(0.1)
    assert not running.done()
    released.set()
    await running
    assert {event for _, _, event, _ in bench.platform.ran} == {EVENTS[0]}
    assert bench.store.in_flight() == []
    assert (await bench.run_to_the_end(deployment_id)).status is DeploymentStatus.SUCCEEDED


async def test_a_driver_that_was_cut_off_is_followed_by_one_that_joins(bench: Bench) -> None:
    released = asyncio.Event()

    async def slow(command: Command, report: object) -> Outcome:
        await released.wait()
        return Outcome(succeeded=True)

    bench.platform.script = slow
    deployment_id = bench.deploy()
    running = asyncio.create_task(bench.driver().run())
    await until(lambda: len(bench.platform.ran) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    released.set()
    assert (await bench.run_to_the_end(deployment_id)).status is DeploymentStatus.SUCCEEDED
    assert len(bench.platform.ran) == len(set(bench.platform.ran)) == 2 * len(EVENTS)


async def test_a_failed_script_is_an_outcome_with_its_diagnostics(bench: Bench) -> None:
    async def fail(command: Command, report: object) -> Outcome:
        diagnostics = Diagnostics(error_code="ScriptFailed", script_name="x.sh", message="no", log_tail="why\n")
        return Outcome(succeeded=False, diagnostics=diagnostics)

    bench.platform.script = fail
    deployment_id = bench.deploy()
    assert (await bench.run_to_the_end(deployment_id)).status is DeploymentStatus.FAILED
    event = bench.store.targets(deployment_id)[0].lifecycle_events[0]
    assert event.diagnostics is not None
    assert (event.diagnostics.script_name, event.diagnostics.log_tail) == ("x.sh", "why\n")


async def test_a_bug_on_one_host_fails_that_host_alone(bench: Bench) -> None:
    async def buggy(command: Command, report: object) -> Outcome:
        if command.host.name == "web-1":
            raise ZeroDivisionError("oops")
        return Outcome(succeeded=True)

    bench.platform.script = buggy
    deployment = await bench.run_to_the_end(bench.deploy())
    assert (deployment.overview.Succeeded, deployment.overview.Failed) == (1, 1)
    diagnostics = bench.store.targets(deployment.id)[0].lifecycle_events[0].diagnostics
    assert diagnostics is not None
    assert "ZeroDivisionError" in diagnostics.message


async def test_a_source_that_cannot_be_reached_is_tried_again(bench: Bench) -> None:
    told = []

    def reluctant(deployment: Deployment) -> Prepared:
        told.append(bench.store.deployment(deployment.id).waiting_for)
        if len(told) == 1:
            raise WorldError("not reachable")
        return prepare(deployment)

    bench.prepare = reluctant
    deployment = await bench.run_to_the_end(bench.deploy())
    assert (deployment.status, deployment.waiting_for) == (DeploymentStatus.SUCCEEDED, None)
    assert told == [None, "what it needs: not reachable"]
    (waited,) = [each for each in bench.store.journal(deployment.id) if each.kind == "deployment waiting"]
    assert waited.details == {"reason": "waits for what it needs: not reachable"}


async def test_a_preparation_that_waits_for_its_next_try_holds_up_neither_a_stop_nor_the_end(bench: Bench) -> None:
    tried: list[str] = []

    def unreachable(deployment: Deployment) -> Prepared:
        tried.append(deployment.id)
        raise WorldError("not reachable")

    bench.prepare = unreachable
    driver = bench.driver()
    driving = asyncio.create_task(driver.run())
    wish = Wish(manifest=manifest(group("one"), group("other")), revision=revision("1"))
    stopped, waits = bench.store.create_releases("shop", [wish], "user", Options(), now())
    await until(lambda: all(bench.store.deployment(each).waiting_for for each in (stopped, waits)))
    bench.store.request_stop(stopped, now(), rollback=None)
    await until(lambda: stopped not in driver._withdrawable)
    assert waits in driver._withdrawable
    before = list(tried)
    driver.drain()
    await driving
    assert tried == before  # it did not wait for the next try
    assert bench.store.deployment(waits).status is DeploymentStatus.QUEUED


async def test_what_the_user_must_mend_fails_the_deployment_at_once(bench: Bench) -> None:
    error = ErrorInformation(code="INVALID_REVISION", message="holds no appspec.yml")
    bench.prepare = lambda each: PreparationFailed(deployment_id=each.id, error=error)  # type: ignore[assignment]
    deployment = await bench.run_to_the_end(bench.deploy())
    assert (deployment.status, deployment.error) == (DeploymentStatus.FAILED, error)
    assert bench.platform.ran == []


async def test_results_are_kept_while_the_store_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment_id = bench.deploy()
    advance, failures = bench.store.advance, []

    def full(results, at, *, draining=False):
        if results and len(failures) < 1:
            failures.append(results)
            raise WorldError("the disk is full")
        return advance(results, at, draining=draining)

    monkeypatch.setattr(bench.store, "advance", full)
    assert (await bench.run_to_the_end(deployment_id)).status is DeploymentStatus.SUCCEEDED
    assert len(failures) == 1
    assert len(bench.platform.ran) == 2 * len(EVENTS)


async def test_a_store_that_can_never_be_written_again_ends_the_driver(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(results, at, *, draining=False):
        raise WorldError("read-only", retryable=False)

    monkeypatch.setattr(bench.store, "advance", read_only)
    with pytest.raises(WorldError, match="read-only"):
        await bench.driver().run()
