"""What every `Traffic` promises, asked of the fake and of a real HAProxy in front of real web servers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from fakes.traffic import FakeTraffic
from haproxy import Haproxy
from waiting import until
from web_server import WebServer, get

from runner.config import LoadBalancerConfig
from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.duration import parse_duration
from runner.model.target import Host
from runner.model.traffic import Backend, LoadBalancing
from runner.ports import Traffic
from runner.traffic.haproxy import Haproxy as HaproxyTraffic

WHERE = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="app"),))
ONE, TWO, STRANGER = (Host(name=name, folder="/h") for name in ("web-1", "web-2", "web-9"))


class Subject(Protocol):
    """Two healthy hosts in traffic, web-1 and web-2."""

    def traffic(self, *, patient: bool = True, cuts_off: bool = True) -> Traffic: ...
    async def reached(self) -> set[str]:
        """The hosts that get requests now."""
        ...

    async def begin_session(self, host: Host) -> None: ...
    async def end_sessions(self) -> None: ...
    async def fall_ill(self, host: Host) -> None: ...
    async def recover(self, host: Host) -> None: ...


class FakeSubject:
    def __init__(self) -> None:
        self._fake = FakeTraffic("web-1", "web-2")

    def traffic(self, *, patient: bool = True, cuts_off: bool = True) -> Traffic:
        looks = 10_000 if patient else 3
        made = FakeTraffic("web-1", "web-2", drain_looks=looks, up_looks=looks, cuts_off=cuts_off)
        made.in_traffic, made.sessions, made.sick = self._fake.in_traffic, self._fake.sessions, self._fake.sick
        return made

    async def reached(self) -> set[str]:
        return set(self._fake.in_traffic)

    async def begin_session(self, host: Host) -> None:
        self._fake.sessions[host.name] += 1

    async def end_sessions(self) -> None:
        for name in self._fake.sessions:
            self._fake.sessions[name] = 0

    async def fall_ill(self, host: Host) -> None:
        self._fake.sick.add(host.name)

    async def recover(self, host: Host) -> None:
        self._fake.sick.discard(host.name)


class RealSubject:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._web = {name: WebServer(name) for name in ("web-1", "web-2")}
        self._asking: list[asyncio.Task[str]] = []

    async def start(self) -> None:
        for web in self._web.values():
            await web.start()
        self._haproxy = Haproxy(self._folder, {name: web.port for name, web in self._web.items()})
        await until(lambda: all(self._haproxy.status(name) == "UP" for name in self._web))

    async def close(self) -> None:
        await self.end_sessions()
        self._haproxy.stop()
        for web in self._web.values():
            await web.stop()

    def traffic(self, *, patient: bool = True, cuts_off: bool = True) -> Traffic:
        limit = parse_duration("30s" if patient else "0s")
        config = LoadBalancerConfig(
            name="edge",
            type="haproxy",
            addresses=(self._haproxy.address,),
            drain_timeout=limit,
            on_drain_timeout="continue" if cuts_off else "fail",
            up_timeout=limit,
        )
        return HaproxyTraffic([config])

    async def reached(self) -> set[str]:
        return {await get(self._haproxy.port) for _ in range(40)}

    async def begin_session(self, host: Host) -> None:
        before = self._web[host.name].waiting
        while self._web[host.name].waiting == before:  # in turn, so it comes to every host
            waiting = sum(web.waiting for web in self._web.values())
            self._asking.append(asyncio.create_task(get(self._haproxy.port, "/slow")))
            await until(lambda: sum(web.waiting for web in self._web.values()) > waiting)  # noqa: B023

    async def end_sessions(self) -> None:
        for web in self._web.values():
            web.release()
        await asyncio.gather(*self._asking)

    async def fall_ill(self, host: Host) -> None:
        self._web[host.name].sick = True

    async def recover(self, host: Host) -> None:
        self._web[host.name].sick = False


@pytest.fixture(params=["fake", "haproxy"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        yield FakeSubject()
        return
    real = RealSubject(tmp_path)
    await real.start()
    yield real
    await real.close()


async def leaves_traffic(subject: Subject, host: Host) -> None:
    while host.name in await subject.reached():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def ignore(line: str) -> None:
    assert line.endswith("\n")


async def test_a_blocked_host_gets_nothing_until_it_is_allowed(subject: Subject) -> None:
    assert await subject.reached() == {"web-1", "web-2"}
    await subject.traffic().block(ONE, WHERE, ignore)
    assert await subject.reached() == {"web-2"}
    await subject.traffic().allow(ONE, WHERE, ignore)
    assert await subject.reached() == {"web-1", "web-2"}


async def test_blocking_and_allowing_again_changes_nothing(subject: Subject) -> None:
    for _ in range(2):
        await subject.traffic().block(ONE, WHERE, ignore)
        assert await subject.reached() == {"web-2"}
    for _ in range(2):
        await subject.traffic().allow(ONE, WHERE, ignore)
        assert await subject.reached() == {"web-1", "web-2"}


async def test_blocking_waits_until_sessions_have_ended(subject: Subject) -> None:
    await subject.begin_session(ONE)
    blocking = asyncio.create_task(subject.traffic().block(ONE, WHERE, ignore))
    await leaves_traffic(subject, ONE)
    assert not blocking.done()
    await subject.end_sessions()
    await blocking


async def test_blocking_that_was_cut_off_is_finished_by_another(subject: Subject) -> None:
    await subject.begin_session(ONE)
    blocking = asyncio.create_task(subject.traffic().block(ONE, WHERE, ignore))
    await leaves_traffic(subject, ONE)
    blocking.cancel()
    await asyncio.wait([blocking])
    again = asyncio.create_task(subject.traffic().block(ONE, WHERE, ignore))
    await asyncio.sleep(0)
    assert await subject.reached() == {"web-2"}
    assert not again.done()
    await subject.end_sessions()
    await again


async def test_past_the_limit_it_goes_on_or_fails_and_the_host_stays_out_of_traffic(subject: Subject) -> None:
    await subject.begin_session(ONE)
    with pytest.raises(LoadBalancerFailed, match="still has"):
        await subject.traffic(patient=False, cuts_off=False).block(ONE, WHERE, ignore)
    assert await subject.reached() == {"web-2"}
    await subject.traffic(patient=False).block(ONE, WHERE, ignore)
    assert await subject.reached() == {"web-2"}


async def test_allowing_waits_until_the_host_is_healthy(subject: Subject) -> None:
    await subject.traffic().block(ONE, WHERE, ignore)
    await subject.fall_ill(ONE)
    allowing = asyncio.create_task(subject.traffic().allow(ONE, WHERE, ignore))
    for _ in range(3):
        assert await subject.reached() == {"web-2"}
    assert not allowing.done()
    await subject.recover(ONE)
    await allowing
    assert await subject.reached() == {"web-1", "web-2"}


async def test_a_host_that_stays_ill_is_not_allowed(subject: Subject) -> None:
    await subject.traffic().block(ONE, WHERE, ignore)
    await subject.fall_ill(ONE)
    with pytest.raises(LoadBalancerFailed, match="not up"):
        await subject.traffic(patient=False).allow(ONE, WHERE, ignore)
    assert await subject.reached() == {"web-2"}


async def test_a_host_that_is_no_server_is_found_beforehand(subject: Subject) -> None:
    await subject.traffic().check([ONE, TWO], WHERE)
    with pytest.raises(InvalidLoadBalancer, match=r"no server.* web-9"):
        await subject.traffic().check([ONE, STRANGER], WHERE)
    for move in (subject.traffic().block, subject.traffic().allow):
        with pytest.raises(LoadBalancerFailed, match="no such server"):
            await move(STRANGER, WHERE, ignore)
    assert await subject.reached() == {"web-1", "web-2"}


async def test_two_hosts_at_once_do_not_disturb_each_other(subject: Subject) -> None:
    traffic = subject.traffic()
    await asyncio.gather(traffic.block(ONE, WHERE, ignore), traffic.block(TWO, WHERE, ignore))
    await asyncio.gather(traffic.allow(ONE, WHERE, ignore), traffic.allow(TWO, WHERE, ignore))
    assert await subject.reached() == {"web-1", "web-2"}
