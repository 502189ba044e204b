"""How much a key may ask, and how little is remembered of it."""

import pytest

from runner.api.identity.buckets import Buckets
from runner.api.identity.limits import OPEN_POLLS, Limits
from runner.errors import Refused
from runner.model.identity import Principal

ADA = Principal(access_key_id="PKADA", role="deployer")
WEB = Principal(access_key_id="PKWEB", role="host", host="web-1")


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def requests(limits: Limits, who: Principal) -> int:
    """How many are let through now."""
    for number in range(1000):
        try:
            limits.count(who)
        except Refused as refused:
            assert refused.code == "ThrottlingException"
            return number
    raise AssertionError("there is no limit")


def test_a_key_has_a_burst_and_then_its_rate() -> None:
    time = Time()
    limits = Limits(rate=10, burst=40, seconds=time)
    assert requests(limits, ADA) == 40
    time.now += 1
    assert requests(limits, ADA) == 10
    time.now += 1000
    assert requests(limits, ADA) == 40


def test_keys_do_not_share_their_limits() -> None:
    limits = Limits(rate=10, burst=5, seconds=Time())
    assert (requests(limits, ADA), requests(limits, WEB)) == (5, 5)


def test_refused_requests_cost_nothing() -> None:
    time = Time()
    limits = Limits(rate=1, burst=1, seconds=time)
    requests(limits, ADA)
    for _ in range(50):
        time.now += 0.01
        with pytest.raises(Refused, match="may send 1 requests a second, and 1 at once"):
            limits.count(ADA)
    time.now += 0.6
    assert requests(limits, ADA) == 1


def test_polls_are_bounded_in_number_not_in_rate() -> None:
    limits = Limits(rate=1, burst=1, seconds=Time())
    for _ in range(100):
        with limits.poll(WEB):
            pass
    held = [limits.poll(WEB) for _ in range(OPEN_POLLS)]
    for poll in held:
        poll.__enter__()
    with pytest.raises(Refused, match="16 polls open") as refused, limits.poll(WEB):
        pass
    assert refused.value.code == "ThrottlingException"
    held[0].__exit__(None, None, None)
    with limits.poll(WEB):
        pass


def test_a_poll_that_fails_is_no_longer_held() -> None:
    limits = Limits()
    for _ in range(2 * OPEN_POLLS):
        with pytest.raises(ZeroDivisionError), limits.poll(WEB):
            raise ZeroDivisionError


def test_buckets_that_are_full_again_are_forgotten() -> None:
    time = Time()
    buckets = Buckets(rate=1, burst=5, seconds=time)
    for number in range(1000):
        buckets.take(f"key-{number}")
        time.now += 0.5
    assert len(buckets) <= 4


def test_however_many_names_there_are_memory_is_bounded() -> None:
    buckets = Buckets(rate=0.001, burst=2, seconds=Time())
    for number in range(30_000):
        buckets.take(f"key-{number}")
    assert len(buckets) == 20_000
    assert not [buckets.take("key-29999"), buckets.take("key-29999")][1]


def test_asking_whether_there_is_a_token_takes_none() -> None:
    buckets = Buckets(rate=1, burst=1, seconds=Time())
    assert buckets.has("a") and buckets.has("a") and len(buckets) == 0
    assert buckets.take("a") and not buckets.has("a") and not buckets.take("a")
