"""Requests that change something: once each, however often they come, in whatever process, whenever one dies."""

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import answering
import pytest
import sqlalchemy as sa
from processes import kill
from store_cases import T0

from runner.errors import Refused, UserError, WorldError
from runner.ports.identity import Answer
from runner.store import tables as t
from runner.store.answers import Answers
from runner.store.database import Database

MINUTE = dt.timedelta(minutes=1)


class Desk:
    """Requests that each make a row, and what they are answered."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder)
        self.answers = Answers(self.database)
        self.runs = 0

    def ask(self, fingerprint: str, error: Exception | None = None, now: dt.datetime = T0) -> Answer:
        def work() -> Answer:
            self.runs += 1
            with self.database.write() as tx:
                tx.execute(t.repositories.insert().values(name=f"made-{self.runs}"))
            if error is not None:
                raise error
            return Answer(200, f'{{"run": {self.runs}}}')

        return self.answers.once(fingerprint, work, self._refused, now)

    def made(self) -> list[str]:
        with self.database.read() as tx:
            return list(tx.execute(sa.select(t.repositories.c.name).order_by(t.repositories.c.name)).scalars())

    def kept(self) -> int:
        with self.database.read() as tx:
            return len(tx.execute(t.answers.select()).all())

    @staticmethod
    def _refused(error: UserError) -> Answer:
        return Answer(400, f"{error.code}: {error.message}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "state")
    yield made
    made.database.close()


def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(desk: Desk) -> None:
    first = desk.ask("a")
    assert first == Answer(200, '{"run": 1}')
    assert desk.ask("a") == first
    assert desk.made() == ["made-1"]


def test_other_requests_are_not_held_for_it(desk: Desk) -> None:
    assert [desk.ask("a").body, desk.ask("b").body] == ['{"run": 1}', '{"run": 2}']
    assert desk.made() == ["made-1", "made-2"]


def test_a_refusal_is_recorded_and_leaves_nothing_else(desk: Desk) -> None:
    refused = desk.ask("a", Refused("InvalidTagException", "no"))
    assert refused == Answer(400, "InvalidTagException: no")
    assert desk.ask("a") == refused
    assert (desk.runs, desk.made()) == (1, [])


def test_a_request_that_is_to_be_tried_again_is_run_again(desk: Desk) -> None:
    assert desk.ask("a", Refused("ThrottlingException", "later")).status == 400
    assert desk.ask("a").status == 200
    assert desk.made() == ["made-2"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), WorldError("the disk is full")])
def test_what_fails_for_no_fault_of_the_caller_leaves_no_trace_and_may_be_repeated(
    desk: Desk, error: Exception
) -> None:
    with pytest.raises(type(error)):
        desk.ask("a", error)
    assert (desk.made(), desk.kept()) == ([], 0)
    assert desk.ask("a").status == 200
    assert desk.made() == ["made-2"]


def test_of_identical_requests_at_the_same_time_one_is_run(desk: Desk, tmp_path: Path) -> None:
    desks = [desk, Desk(tmp_path / "state")]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: desks[number % 2].ask("a"), range(32)))
    assert len(set(answers)) == 1
    assert sum(each.runs for each in desks) == 1
    assert len(desk.made()) == 1
    desks[1].database.close()


def test_a_request_that_comes_while_the_first_is_run_waits_for_its_answer(desk: Desk) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Answer:
        begun.set()
        assert go_on.wait(20)
        return Answer(200, "slow")

    def second() -> Answer:
        assert begun.wait(20)
        go_on.set()
        return desk.ask("a")

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(desk.answers.once, "a", slow, Desk._refused, T0)
        two = threads.submit(second)
        assert one.result() == two.result() == Answer(200, "slow")
    assert desk.runs == 0


def test_an_answer_is_kept_for_fifteen_minutes(desk: Desk) -> None:
    desk.ask("a")
    assert desk.ask("a", now=T0 + 14.9 * MINUTE).body == '{"run": 1}'
    assert desk.ask("a", now=T0 + 15 * MINUTE).body == '{"run": 2}'
    assert desk.ask("a", now=T0 + 16 * MINUTE).body == '{"run": 2}'


def test_old_answers_go_a_few_at_a_time(desk: Desk) -> None:
    with desk.database.write() as tx:
        rows = [{"fingerprint": f"old-{n}", "status": 200, "body": "", "at": T0} for n in range(250)]
        tx.execute(t.answers.insert(), rows)
    left = []
    for number in range(4):
        desk.ask(f"new-{number}", now=T0 + 16 * MINUTE)
        left.append(desk.kept())
    assert left == [151, 52, 3, 4]


# A real process, killed.


def start(desk: Desk, pause: str) -> "subprocess.Popen[str]":
    command = [sys.executable, answering.__file__, str(desk.database.folder), "a", pause]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def killed_at(desk: Desk, pause: str) -> None:
    with start(desk, pause) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{pause}\n"
        kill(process.pid)


def repeated(desk: Desk) -> str:
    """What the same request is answered by a new process."""
    with start(desk, "never") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return said.strip()


@pytest.mark.parametrize("point", ["before", "within"])
def test_killed_before_the_commit_nothing_has_happened(desk: Desk, point: str) -> None:
    killed_at(desk, point)
    assert (desk.made(), desk.kept()) == ([], 0)
    assert repeated(desk) == '{"number": 1}'
    assert desk.made() == ["made-1"]


def test_killed_after_the_commit_the_answer_is_there_and_nothing_happens_twice(desk: Desk) -> None:
    killed_at(desk, "committed")
    assert desk.made() == ["made-1"]
    assert repeated(desk) == repeated(desk) == '{"number": 1}'
    assert (desk.made(), desk.kept()) == (["made-1"], 1)
