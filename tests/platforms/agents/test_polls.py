"""Held polls: who gets work, and when those without end."""

import asyncio

from waiting import until

from runner.platforms.agents.polls import Polls


async def test_work_goes_to_the_oldest_poll_of_its_host_and_to_one_only() -> None:
    polls: Polls[str] = Polls(60)
    first, second, other = polls.hold("a"), polls.hold("a"), polls.hold("b")
    assert polls.give("a", "x")
    assert first.result() == "x"
    assert polls.give("a", "y")
    assert second.result() == "y"
    assert not polls.give("a", "z")
    assert not other.done()


async def test_a_poll_that_was_cancelled_gets_no_work() -> None:
    polls: Polls[str] = Polls(60)
    polls.hold("a").cancel()
    assert not polls.give("a", "x")


async def test_what_is_released_is_forgotten() -> None:
    polls: Polls[str] = Polls(60)
    for poll in [polls.hold("a") for _ in range(3)]:
        polls.release("a", poll)
        polls.release("a", poll)
    assert len(polls) == 0
    assert not polls.give("a", "x")


async def test_old_polls_end_a_few_at_a_time_and_young_ones_stay() -> None:
    old: Polls[str] = Polls(0.01)
    held = [old.hold(f"{number}") for number in range(5)]
    await asyncio.sleep(0.02)
    assert old.end_old(2)
    assert [poll.done() for poll in held] == [True, True, False, False, False]
    assert old.end_old(2)
    assert not old.end_old(2)
    assert all(poll.result() is None for poll in held)
    young: Polls[str] = Polls(60)
    poll = young.hold("a")
    assert not young.end_old(2)
    assert not poll.done()
    young.end_all()
    await until(poll.done)
