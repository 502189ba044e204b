"""Looks that are shared: nobody gets an answer to a question that was asked before his own."""

import asyncio
import threading

import pytest

from runner.traffic.looks import Looks


class Slow:
    """Answers with the number of the call once it is let."""

    def __init__(self) -> None:
        self.calls = 0
        self.begun, self.let = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        self.begun.release()
        assert self.let.acquire(timeout=20)
        return number


async def test_who_comes_during_a_look_waits_for_the_next_which_all_of_them_share() -> None:
    looks, slow = Looks(), Slow()
    first = asyncio.create_task(looks.look("k", slow))
    await asyncio.to_thread(slow.begun.acquire)
    others = [asyncio.create_task(looks.look("k", slow)) for _ in range(5)]
    await asyncio.sleep(0)
    slow.let.release(2)
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 5
    slow.let.release()
    assert await looks.look("k", slow) == 3


async def test_another_question_does_not_wait() -> None:
    looks, slow = Looks(), Slow()
    first = asyncio.create_task(looks.look("k", slow))
    await asyncio.to_thread(slow.begun.acquire)
    assert await looks.look("other", lambda: "at once") == "at once"
    slow.let.release()
    assert await first == 1


async def test_a_failure_is_everybodys_and_the_next_look_is_a_new_one() -> None:
    looks, answers = Looks(), iter([OSError("away")])

    def ask() -> str:
        for error in answers:
            raise error
        return "back"

    both = await asyncio.gather(looks.look("k", ask), looks.look("k", ask), return_exceptions=True)
    assert [str(each) for each in both] == ["away", "away"]
    assert await looks.look("k", ask) == "back"


async def test_one_that_gives_up_leaves_the_look_to_the_others() -> None:
    looks, slow = Looks(), Slow()
    tasks = [asyncio.create_task(looks.look("k", slow)) for _ in range(2)]
    await asyncio.to_thread(slow.begun.acquire)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    slow.let.release()
    assert await tasks[1] == 1
