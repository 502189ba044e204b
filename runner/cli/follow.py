"""Carrying deployments to their end with live progress: in this process, or beside the one that drives the state folder."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runner.cli import exits
from runner.cli.progress import Progress, view_for
from runner.cli.session import note
from runner.errors import StateFolderBusy
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.value import to_json

if TYPE_CHECKING:
    from runner.store.store import Store
    from runner.wiring import Runner

TRY_THE_LOCK_EVERY = 1.0  # seconds: whoever drives may leave before our deployments have ended
LOOK_EVERY = 0.1  # seconds


class Watched:
    """Deployments that this command is about, and the rollbacks that they lead to."""

    def __init__(self, store: "Store", deployment_ids: Sequence[str]) -> None:
        self._store = store
        self._asked = tuple(deployment_ids)
        self._going = list(deployment_ids)
        self._ended: dict[str, Deployment] = {}

    def all_ended(self) -> bool:
        """Whether nothing of it is under way or waits any more."""
        for deployment_id in list(self._going):
            deployment = self._store.deployment(deployment_id)
            if deployment.status.is_terminal:
                self._going.remove(deployment_id)
                self._ended[deployment_id] = deployment
                self._going += _rollback_of(deployment)
        return not self._going

    def ids(self) -> set[str]:
        return {*self._ended, *self._going}

    def deployments(self) -> list[Deployment]:
        """All of them as they are now, rollbacks behind."""
        self.all_ended()
        return [self._store.deployment(each) for each in (*self._ended, *self._going)]

    def asked(self) -> list[Deployment]:
        """Those that were asked for, as they are now."""
        return [self._store.deployment(each) for each in self._asked]


def _rollback_of(deployment: Deployment) -> list[str]:
    rollback = deployment.rollback.rollback_deployment_id if deployment.rollback else None
    return [rollback] if rollback else []


Verdict = Callable[[Watched], bool]


def all_succeeded(watched: Watched) -> bool:
    return all(each.status is DeploymentStatus.SUCCEEDED for each in watched.asked())


def carry_out(
    arguments: argparse.Namespace,
    runner: "Runner",
    deployment_ids: Sequence[str],
    since: int,
    *,
    well: Verdict = all_succeeded,
    also: dict[str, Any] | None = None,
) -> int:
    """Follow the deployments and their rollbacks to the end, driving them if nobody else does. Returns the exit status.

    *since*: journal entries after that one are shown. *well*: whether it went as the user wished. *also*: more for the
    JSON document.
    """
    watched = Watched(runner.store, deployment_ids)
    ended = asyncio.run(_showing(arguments, runner, watched, since, _drive_or_wait(runner, watched)))
    went_well = ended and well(watched)
    show_result(arguments, watched.deployments(), went_well, also or {})
    if not ended:
        note("told to stop: what was under way on hosts is recorded; `penstock sync` carries on with the rest")
        return exits.INTERRUPTED
    return exits.FINE if went_well else exits.DEPLOYMENT_FAILED


async def _showing(
    arguments: argparse.Namespace,
    runner: "Runner",
    watched: Watched,
    since: int,
    work: Coroutine[Any, Any, bool],
    *,
    only: Callable[[], set[str]] | None = None,
) -> bool:
    """Do *work* with live progress, and return what it returns."""
    progress = Progress(runner.store, view_for(arguments, runner.store.events), since, only=only)
    progress.begin_with(watched.ids())
    showing = asyncio.create_task(progress.run())
    try:
        return await work
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        await progress.finish()


async def _drive_or_wait(runner: "Runner", watched: Watched) -> bool:
    """False: told to stop before all had ended."""
    told = False
    while True:
        try:
            with runner.driving():
                return await runner.drive(watched.all_ended)
        except StateFolderBusy as busy:
            if not told:
                told = True
                note(f"{busy.message.partition(';')[0]} and carries this out; following it")
        if await _have_ended(watched, TRY_THE_LOCK_EVERY):
            return True


async def _have_ended(watched: Watched, within: float) -> bool:
    """Wait for it, *within* that many seconds."""
    for _ in range(max(1, int(within / LOOK_EVERY))):
        if await asyncio.to_thread(watched.all_ended):
            return True
        await asyncio.sleep(LOOK_EVERY)
    return False


def look_on(arguments: argparse.Namespace, runner: "Runner", deployment_ids: Sequence[str]) -> None:
    """Show live progress until the deployments and their rollbacks have ended; drive nothing."""
    watched = Watched(runner.store, deployment_ids)

    async def until_ended() -> bool:
        while not await _have_ended(watched, TRY_THE_LOCK_EVERY):
            pass
        return True

    if not watched.all_ended():
        since = runner.store.last_entry_id()
        asyncio.run(_showing(arguments, runner, watched, since, until_ended(), only=watched.ids))


def show_result(
    arguments: argparse.Namespace, deployments: Sequence[Deployment], went_well: bool, also: dict[str, Any]
) -> None:
    """The last word: a JSON document, or where to look when something went wrong."""
    if arguments.output == "json":
        print(to_json({"succeeded": went_well, "deployments": list(deployments), **also}))
        return
    for deployment in deployments:
        if deployment.status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
            print(f"penstock show {deployment.id}   # what happened to {deployment.place}, and what to do")


def show_recorded(arguments: argparse.Namespace, deployments: Sequence[Deployment], what: str) -> int:
    """For those who do not wait: what was recorded, and who will carry it out."""
    if arguments.output == "json":
        print(to_json({"deployments": list(deployments)}))
        return exits.FINE
    for deployment in deployments:
        print(f"{deployment.id} {deployment.place}: {what}")
    return exits.FINE
