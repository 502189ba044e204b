"""One command, from its handing-out until the server knows how it ended."""

from __future__ import annotations

import time

from runner.host.agent import specification as specifications
from runner.host.agent.backoff import Backoff
from runner.host.agent.diagnostics import diagnostics_of
from runner.host.agent.errors import Broken, Rejected, Unreachable, Untrusted
from runner.host.agent.journald import INFO, WARNING, log
from runner.host.agent.output import Behind, Output
from runner.host.bundles.revisions import remove
from runner.host.layout import Layout
from runner.host.lean.record import Record
from runner.host.outcome import Failure, failed, now, succeeded
from runner.host.request import Request
from runner.host.scripts.revision import scripts_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from runner.host.agent.bundles import Bundles
    from runner.host.agent.current import Current
    from runner.host.agent.executor import Executor, Session
    from runner.host.agent.ongoing import Command, Ongoing
    from runner.host.agent.service import Service
    from runner.host.agent.specification import Specification

    T = TypeVar("T")

_NEVER_NOTHING = ("DownloadBundle", "Install")
_HELD = 10.0  # seconds
_WITHOUT_EXECUTOR = 300.0  # seconds after which its absence is the outcome
_KEPT = 16  # specifications


class Workshop(Record):
    """What all commands share. *specifications*: those that were checked, by execution ID; the newest are last."""

    current: Current
    executor: Executor
    ongoing: Ongoing
    bundles: Bundles
    specifications: dict[str, Specification]


class Work:
    """*was_taken*: by an earlier process of the agent, which did not live to report how it ended."""

    def __init__(self, workshop: Workshop, command: Command, was_taken: bool) -> None:
        self._shop, self._command, self._was_taken = workshop, command, was_taken
        self._name = "{} {}".format(command.execution_id.rpartition("/")[2], command.event)
        self._began = time.monotonic()

    def run(self) -> None:
        """Do all of it, however long the server is away. Never raises."""
        try:
            self._run()
        except Rejected as error:
            log(WARNING, "{}: the server does not want it any more: {}".format(self._name, error))
        except Exception as error:  # noqa: BLE001  the server has to hear of it, whatever it is
            log(WARNING, "{}: {}: {}".format(self._name, type(error).__name__, error))
            self._give_up("The agent failed on this host: {}: {}".format(type(error).__name__, error))
        self._shop.ongoing.forget(self._command)

    def _run(self) -> None:
        try:
            specification = self._specification()
        except (Untrusted, Rejected) as error:
            self._give_up(str(error))
            return
        request = dict(specification.request, event=self._command.event, attempt=self._command.attempt)
        is_noop = self._is_noop(request)
        if not self._was_taken:
            self._shop.ongoing.note(self._command)
        status = self._ask(lambda service: service.acknowledge(self._command.identifier, is_noop))
        if status == "Succeeded" or (status == "Failed" and not is_noop):
            log(INFO, "{}: the server has done with it".format(self._name))
        elif status == "Failed":
            self._report(succeeded("CompletedNoopCommand", now()))
        else:
            self._report(self._outcome(request, specification))

    def _specification(self) -> Specification:
        """What the command is about. Raises `Untrusted` when it must not be carried out."""
        command = self._command
        settings = self._shop.current.service().settings
        if command.host != settings.host:
            raise Untrusted("The command is for the host {}; this is {}.".format(command.host, settings.host))
        known = self._shop.specifications
        found = known.get(command.execution_id)
        if found is None or command.event not in found.events:
            answer = self._ask(lambda service: service.specification(command.execution_id))
            found = specifications.read(answer, command.execution_id, settings)
            known[command.execution_id] = found
            for oldest in list(known)[:-_KEPT]:
                known.pop(oldest, None)
        if command.event not in found.events:
            raise Untrusted("{} is not among the lifecycle events of this deployment.".format(command.event))
        return found

    def _is_noop(self, request: dict[str, Any]) -> bool:
        """Whether there is no script for the event; False too when that is for the executor to find out."""
        if self._command.event in _NEVER_NOTHING:
            return False
        try:
            asked = Request.from_json(dict(request, bundle=_bundle(request, "")))
            return not scripts_for(asked, Layout(asked.folder, asked.group_id, asked.deployment)).scripts
        except (Failure, OSError, ValueError, KeyError, TypeError):
            return False

    def _outcome(self, request: dict[str, Any], specification: Specification) -> dict[str, Any]:
        started = now()
        try:
            if self._command.event != "DownloadBundle":
                return self._carried_out(dict(request, bundle=_bundle(request, "")))
            with self._shop.bundles.fetched(specification.bundle) as path:
                outcome = self._carried_out(dict(request, bundle=_bundle(request, path)))
            _forget_archive(request)
            return outcome
        except Failure as failure:
            return failed(failure, "", started)

    def _carried_out(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have the executor carry out *request*, asking it again until it says how that ended."""
        output = Output(self._send)  # what an earlier process has sent, the server says at the first piece
        backoff, since = Backoff(first=0.05, most=5.0), time.monotonic()
        while True:
            session, began = None, time.monotonic()
            try:
                session = self._shop.executor.session()
                session.ask(request if output.sent is None else dict(request, offset=output.sent))
                return _followed(session, output)
            except Behind:
                output.drop()
                since = time.monotonic()
            except Broken as error:
                if time.monotonic() - began > _HELD:  # it had been there for a while: this is another trouble
                    backoff.reset()
                    since = time.monotonic()
                if time.monotonic() - since > _WITHOUT_EXECUTOR:
                    raise Failure("The executor on this host is gone: {}.".format(error)) from error
                output.drop()
                time.sleep(backoff.next())
            finally:
                if session is not None:
                    session.close()

    def _send(self, text: str, begins: int, ends: int) -> tuple[str, int | None]:
        return self._ask(lambda service: service.update(self._command.identifier, text, begins, ends))

    def _give_up(self, message: str) -> None:
        log(WARNING, "{}: {}".format(self._name, message))
        try:
            self._report(failed(Failure(message), "", now()))
        except Rejected:
            pass

    def _report(self, outcome: dict[str, Any]) -> None:
        diagnostics = diagnostics_of(outcome)
        self._ask(lambda service: service.complete(self._command.identifier, outcome["succeeded"], diagnostics))
        how = "succeeded" if outcome["succeeded"] else "failed: {}".format(diagnostics["message"])
        log(INFO, "{} {} ({:.2f} s)".format(self._name, how, time.monotonic() - self._began))

    def _ask(self, call: Callable[[Service], T]) -> T:
        """The answer to *call*, asked for until there is one. Raises `Rejected`, except for a key that may be replaced."""
        backoff, said = Backoff(first=0.2, most=30.0), ""
        while True:
            try:
                return call(self._shop.current.service())
            except Unreachable as error:
                trouble = str(error)
            except Rejected as error:
                if not error.is_about_us:
                    raise
                trouble = str(error)
            if trouble != said:
                log(WARNING, "{}: {}; trying again".format(self._name, trouble))
                said = trouble
            self._shop.current.pause(backoff.next())


def _followed(session: Session, output: Output) -> dict[str, Any]:
    """The outcome that *session* comes to; what it prints goes to *output*. Raises `Behind`, `Broken`."""
    while True:
        message = session.next(output.seconds_left())
        if message is None or "end" in message:
            output.flush()
        elif "log" in message:
            output.take(message["log"], message["offset"])
        if message is not None and "end" in message:
            outcome: dict[str, Any] = message["end"]
            return outcome


def _bundle(request: dict[str, Any], path: str) -> dict[str, Any]:
    return dict(request.get("bundle") or {}, path=path)


def _forget_archive(request: dict[str, Any]) -> None:
    """The archive is unpacked; here it would take room for nothing. How the event ended does not depend on it."""
    try:
        remove(Layout(request["folder"], request["group_id"], request["deployment"]).bundle)
    except (OSError, KeyError, TypeError):
        pass
