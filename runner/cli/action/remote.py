"""Mode remote: asks a Penstock server, or CodeDeploy itself, to deploy, and follows that to the end."""

import argparse
import asyncio
import datetime as dt
import os
from collections.abc import Callable, Mapping
from typing import Any

from runner.aws import AwsError
from runner.cli import exits
from runner.cli.action.answers import changes, rollout
from runner.cli.action.cancelling import Cancelling
from runner.cli.action.commands import Screen
from runner.cli.action.inputs import Inputs
from runner.cli.action.outcome import Outcome, Rollout
from runner.cli.action.revision import label, revision
from runner.cli.action.server import Server
from runner.cli.action.troubles import explained
from runner.cli.words import clock, one_line
from runner.errors import UserError, WorldError

Tell = Callable[[Outcome], None]

_FIRST, _SLOWEST = 1.0, 8.0  # seconds between two looks: as long as there is news, and after a while without
_ALWAYS_LOOKED_AT = 100  # targets; of more, only when the deployment's overview has changed


def deploy(arguments: argparse.Namespace, inputs: Inputs, screen: Screen, tell: Tell) -> int:
    """Returns the exit status. Raises `UserError` for what the server refuses, `WorldError` when it cannot be reached."""
    wanted = revision(inputs, os.environ)
    server = Server(inputs.endpoint, region_of(inputs, os.environ))
    with screen.group("Deploy"):
        print(
            f"{inputs.applications[0]}/{inputs.groups[0]} gets {label(wanted)}, by {inputs.endpoint or 'AWS CodeDeploy'}"
        )
        try:
            return asyncio.run(_Following(server, inputs, tell).run(wanted))
        except AwsError as error:
            message = explained(error, inputs.endpoint)
            if not error.retryable:
                raise UserError(message) from error
            raise WorldError(message) from error


def region_of(inputs: Inputs, environ: Mapping[str, str]) -> str | None:
    """Raises `UserError`: AWS has to know; a server of Penstock takes any."""
    found = inputs.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not found and not inputs.endpoint:
        raise UserError("input region is missing, and AWS_REGION is not set: where is the deployment group?")
    return found or "us-east-1"


class _Following:
    """Asks for a deployment, prints what changes of it and of its rollback, and tells how they are."""

    def __init__(self, server: Server, inputs: Inputs, tell: Tell) -> None:
        self._server, self._inputs, self._tell = server, inputs, tell
        self._known: dict[str, Rollout] = {}
        self._overviews: dict[str, Any] = {}
        self._targets: dict[str, list[dict[str, Any]]] = {}
        self._ids: list[str] = []
        self._cancelling = Cancelling()
        self._stopping: asyncio.Task[None] | None = None

    async def run(self, wanted: dict[str, Any]) -> int:
        inputs = self._inputs
        with self._cancelling.heeded(self._cancelled):
            made = await asyncio.to_thread(
                self._server.create, inputs.applications[0], inputs.groups[0], wanted, inputs.description
            )
            self._ids.append(made)
            if self._cancelling.asked:  # while it was being made
                self._cancelled()
            await self._to_the_end()
            if self._stopping:
                await self._stopping
        self._tell_outcome(*self._notes())
        if not self._ended():
            return exits.INTERRUPTED
        return exits.FINE if self._known[made].status == "Succeeded" else exits.DEPLOYMENT_FAILED

    async def _to_the_end(self) -> None:
        pause, leaving = _FIRST, asyncio.create_task(self._cancelling.leaving.wait())
        try:
            while not self._ended() and not leaving.done():
                look = asyncio.create_task(self._look())
                await asyncio.wait({look, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if leaving.done():
                    self._server.leave()
                    look.cancel()
                    return
                pause = _FIRST if look.result() else min(pause * 1.3, _SLOWEST)
                if not self._ended():
                    await asyncio.wait({leaving}, timeout=_FIRST if self._cancelling.asked else pause)
        finally:
            leaving.cancel()

    def _ended(self) -> bool:
        return bool(self._known) and all(each in self._known and self._known[each].has_ended for each in self._ids)

    async def _look(self) -> bool:
        """Whether there is news."""
        news = False
        for each in [one for one in self._ids if one not in self._known or not self._known[one].has_ended]:
            now = await asyncio.to_thread(self._seen, each)
            before = self._known.get(each)
            if now != before:
                news = True
                self._known[each] = now
                for line in changes(before, now):
                    print(f"{clock(dt.datetime.now(dt.UTC))} {now.id} {now.place} {one_line(line)}", flush=True)
                self._tell_outcome()
        return news

    def _seen(self, deployment_id: str) -> Rollout:
        """One look at a deployment; a rollback that it has led to is followed from now on."""
        info = self._server.deployment(deployment_id)
        seen = (info.get("deploymentOverview"), info["status"])
        targets = self._targets.get(deployment_id, [])
        if seen != self._overviews.get(deployment_id) or len(targets) <= _ALWAYS_LOOKED_AT:
            targets = self._targets[deployment_id] = self._server.targets(deployment_id) if _has_begun(info) else []
        self._overviews[deployment_id] = seen
        led_to = info.get("rollbackInfo", {}).get("rollbackDeploymentId")
        if led_to and led_to not in self._ids:
            self._ids.append(led_to)
        return rollout(info, targets, deployment_id == self._ids[0])

    def _cancelled(self) -> None:
        if not self._ids:
            return  # `run` comes back to it
        stop = self._inputs.on_cancel == "stop"
        print(
            "the workflow was cancelled: the deployment is " + ("stopped" if stop else "left to the server"), flush=True
        )
        self._tell_outcome("The workflow was cancelled. This is how far it was then.")
        if stop:
            self._stopping = asyncio.create_task(asyncio.to_thread(self._server.stop, self._ids[0]))
        else:
            self._cancelling.leaving.set()

    def _notes(self) -> tuple[str, ...]:
        if not self._cancelling.asked:
            return ()
        if self._ended():
            return ("The workflow was cancelled.",)
        what = "was told to stop, and" if self._inputs.on_cancel == "stop" else "was left alone, and"
        return (f"The workflow was cancelled. The deployment {what} the server carries on with it.",)

    def _tell_outcome(self, *notes: str) -> None:
        missing = [each for each in self._ids[:1] if each not in self._known]  # made, and not looked at yet
        place = f"{self._inputs.applications[0]}/{self._inputs.groups[0]}"
        new = [Rollout(each, place, "", "", "Created", "-", "", True, None, (), ()) for each in missing]
        self._tell(Outcome((*new, *(self._known[each] for each in self._ids if each in self._known)), notes))


def _has_begun(info: Mapping[str, Any]) -> bool:
    """Before that it has no targets, and AWS refuses to list them."""
    return "startTime" in info or info["status"] not in ("Created", "Queued")
