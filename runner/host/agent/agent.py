"""The agent at work: one thread polls, one thread for each command, and the main one looks after them."""

from __future__ import annotations

import fcntl
import os
import threading
import time
import traceback

from runner.host.agent.backoff import Backoff
from runner.host.agent.bundles import Bundles
from runner.host.agent.current import Current
from runner.host.agent.errors import Mistake, Rejected, Unreachable
from runner.host.agent.executor import Executor
from runner.host.agent.journald import INFO, NOTICE, WARNING, log, notify, watchdog_interval
from runner.host.agent.ongoing import Command, Ongoing
from runner.host.agent.place import hub_command
from runner.host.agent.work import Work, Workshop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.host.agent.service import Service

_MOST_AT_ONCE = 16  # commands, as the official agent
_GRACE = 10.0  # seconds for what is nearly done, once the agent is to stop
_STUCK = 120.0  # seconds without a turn of the polling loop; a poll takes 80 at most
_LOOK_EVERY = 10.0  # seconds between two looks at the polling loop
_AT_ONCE = 2.0  # seconds; an empty answer that comes faster than that was not held
_BUG = 70  # exit status


class Agent:
    """On the settings in the file *path*. Raises `Mistake` when it cannot begin."""

    def __init__(self, path: str) -> None:
        self._current = Current(path)
        state = self._current.service().settings.state
        try:
            os.makedirs(state, 0o700, exist_ok=True)
            self._lock = _only_one(state)
            self._shop = Workshop(
                current=self._current,
                executor=Executor(hub_command(state)),
                ongoing=Ongoing(os.path.join(state, "ongoing")),
                bundles=Bundles(os.path.join(state, "bundles"), self._current),
                specifications={},
            )
        except OSError as error:
            raise Mistake("the state folder {} cannot be used: {}".format(state, error)) from error
        self._stop = threading.Event()
        self._slots = threading.Semaphore(_MOST_AT_ONCE)
        self._guard = threading.Lock()
        self._running = 0
        self._seen = time.monotonic()  # when the polling loop last showed that it lives
        self._polling: Service | None = None

    def stop(self) -> None:
        """Have `run` return soon. For handlers of signals too."""
        self._stop.set()

    def run(self) -> None:
        """Poll and carry out until told to stop; then wait a little for what is nearly done."""
        settings = self._current.service().settings
        self._shop.executor.start()
        self._shop.bundles.tidy()
        log(INFO, "this is host {} of {}".format(settings.host, settings.server))
        for command in self._shop.ongoing.left():
            log(NOTICE, "taking up {} of {}".format(command.event, command.execution_id.rpartition("/")[2]))
            self._slots.acquire()
            self._begin(command, was_taken=True)
        polling = threading.Thread(target=self._watched, name="polling", daemon=True)
        polling.start()
        notify("READY=1", self._status())
        self._look_after()
        notify("STOPPING=1")
        self._wind_up(polling)

    def _look_after(self) -> None:
        """Tell systemd that we live, as long as the polling loop does."""
        interval = min(watchdog_interval() or _LOOK_EVERY, _LOOK_EVERY)
        while not self._stop.wait(interval):
            if time.monotonic() - self._seen < _STUCK:
                notify("WATCHDOG=1", self._status())

    def _wind_up(self, polling: threading.Thread) -> None:
        end = time.monotonic() + _GRACE
        while polling.is_alive() and time.monotonic() < end:
            if self._polling is not None:
                self._polling.stop_polling()
            polling.join(0.1)
        while self._running and time.monotonic() < end:
            time.sleep(0.01)
        if self._running:
            log(
                NOTICE,
                "{} commands go on without the agent; it takes them up when it starts again".format(self._running),
            )
        self._shop.executor.close()

    def _watched(self) -> None:
        """Poll; when that ends by a mistake of ours, end the process, so that it is started again."""
        try:
            self._poll()
        except Exception:  # noqa: BLE001  whatever it is, an agent that does not poll is of no use
            log(WARNING, "this is a bug in the agent, please report it:\n" + traceback.format_exc())
            os._exit(_BUG)

    def _poll(self) -> None:
        backoff, idle, trouble = Backoff(), Backoff(first=0.05, most=5.0), ""
        while not self._stop.is_set():
            self._seen = asked = time.monotonic()
            if not self._slots.acquire(timeout=1.0):
                continue
            command = None
            try:
                command, said, pause = self._next(), "", 0.0
                if command is None and time.monotonic() - asked < _AT_ONCE:
                    pause = idle.next()
                else:
                    idle.reset()
                backoff.reset()
            except (Unreachable, ValueError) as error:
                said, pause = str(error), backoff.next()
            except Rejected as error:
                said, pause = self._explained(error), backoff.at_most()
            if command is None:
                self._slots.release()
            else:
                self._begin(command, was_taken=False)
            trouble = self._note(said, trouble)
            if pause and not self._stop.is_set():
                self._current.pause(pause, self._stop)

    def _next(self) -> Command | None:
        self._polling = self._current.service()
        found = self._polling.poll()
        return None if found is None else Command.from_wire(found)

    def _explained(self, error: Rejected) -> str:
        if not error.is_about_us:
            return str(error)
        settings = self._current.service().settings
        return "the server refuses the key {} of host {}: {}".format(settings.access_key_id, settings.host, error)

    def _note(self, said: str, before: str) -> str:
        """Log what has changed. Returns what is the matter now, "" for nothing."""
        if said and said != before and not self._stop.is_set():
            log(WARNING, said + "; trying again")
        elif before and not said:
            log(NOTICE, "the server answers again")
        return said

    def _begin(self, command: Command, was_taken: bool) -> None:
        with self._guard:
            self._running += 1
        work = Work(self._shop, command, was_taken)
        threading.Thread(target=self._do, args=(work,), name=command.event, daemon=True).start()

    def _do(self, work: Work) -> None:
        try:
            work.run()
        finally:
            with self._guard:
                self._running -= 1
            self._slots.release()

    def _status(self) -> str:
        settings = self._current.service().settings
        return "STATUS=host {} of {}; {} commands under way".format(settings.host, settings.server, self._running)


def _only_one(state: str) -> int:
    """The lock on the folder *state*, held as long as this process lives. Raises `Mistake` when another holds it."""
    lock = os.open(os.path.join(state, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Mistake("another agent works in {}; stop that one first".format(state)) from error
    return lock
