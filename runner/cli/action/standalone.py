"""Mode standalone: this very process deploys what is checked out, with its state in a folder."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from runner.cli import exits
from runner.cli.action.annotations import annotate
from runner.cli.action.cancelling import Cancelling
from runner.cli.action.commands import Screen
from runner.cli.action.inputs import Inputs
from runner.cli.action.outcome import Outcome, Rollout
from runner.cli.action.recorded import rollout
from runner.cli.follow import LOOK_EVERY, Watched, all_succeeded
from runner.cli.progress import Progress, view_for
from runner.errors import DeploymentAlreadyCompleted, InvalidFiles, Mistake, StateFolderBusy
from runner.model.deployment import Deployment

if TYPE_CHECKING:
    from runner.cli.head import Head
    from runner.model.work import Wish
    from runner.wiring import Runner

Tell = Callable[[Outcome], None]
_TRY_THE_LOCK_EVERY = 10  # looks


def deploy(arguments: argparse.Namespace, inputs: Inputs, screen: Screen, tell: Tell) -> int:
    """Check, show the plan, deploy, follow to the end. Returns the exit status."""
    from runner.cli.deploy import options
    from runner.cli.head import at_head, warn_of_changes

    vars(arguments).update(_as_for_deploy(inputs))
    os.chdir(inputs.folder)
    with screen.group("Validate"):
        _validate(arguments, screen, _place_in_checkout())
    with at_head(arguments) as head:
        with screen.group("Plan"):
            _notice_another_commit(screen, head.checkout.commit_id)
            warn_of_changes(head.checkout)
            wanted = head.wanted()
            head.keep_bundles(wanted)
            _show_plan(head, wanted)
        following = _Following(arguments, head.runner, inputs.on_cancel == "stop", tell)
        create = partial(head.runner.service.create, head.repository.name, *wanted, options=options(arguments))
        with screen.group("Deploy"):
            return asyncio.run(following.run(create))


def _as_for_deploy(inputs: Inputs) -> dict[str, Any]:
    """The arguments of `penstock deploy`."""
    return {
        "config": inputs.config,
        "state": inputs.state,
        "output": "text",
        "folder": inputs.folder,
        "application": list(inputs.applications),
        "group": list(inputs.groups),
        "description": inputs.description,
        "ignore_application_stop_failures": False,
        "file_exists_behavior": "DISALLOW",
    }


def _place_in_checkout() -> str:
    """Where the current folder is in its checkout, as a prefix of files: GitHub knows them by their place there."""
    from pathlib import Path

    from runner.cli.checkout import find

    folder = Path.cwd().resolve().relative_to(find(Path()).root.resolve()).as_posix()
    return "" if folder == "." else f"{folder}/"


def _validate(arguments: argparse.Namespace, screen: Screen, prefix: str) -> None:
    """As `penstock validate`: everything that is wrong, at once. Raises `InvalidFiles`."""
    from pathlib import Path

    from runner.cli.checking import check

    checked = check(Path(), arguments.config)
    for file in checked.files:
        print(file)
    annotate(screen, _placed(checked.warnings, prefix), "warning")
    if checked.mistakes:
        raise InvalidFiles(_placed(checked.mistakes, prefix))


def _placed(mistakes: list[Mistake], prefix: str) -> tuple[Mistake, ...]:
    return tuple(
        each if os.path.isabs(each.file) else each._replace(file=prefix + each.file)  # noqa: PTH117 - text, not a path
        for each in mistakes
    )


def _notice_another_commit(screen: Screen, commit_id: str) -> None:
    sha = os.environ.get("GITHUB_SHA", commit_id)
    if sha != commit_id:
        said = f"the checkout is at {commit_id[:10]}, which is deployed, and not at {sha[:10]}, which started this workflow"
        screen.annotate("notice", "Penstock", said)


def _show_plan(head: "Head", wanted: "list[Wish]") -> None:
    from runner.cli.planned import outline, show
    from runner.cli.screen import console

    service = head.runner.service
    state = service.state()
    outlines = []
    for each in wanted:
        specs = head.runner.flow.specs(each.manifest, each.revision)
        forecast = service.forecast(each.manifest, each.revision, each.groups, specs)
        outlines += outline(forecast, state, head.script_seconds(each))
    show(console(), head.checkout, outlines)


class _Following:
    """Drives the deployments, or follows whoever drives the state folder, and tells how they are."""

    def __init__(self, arguments: argparse.Namespace, runner: "Runner", stop: bool, tell: Tell) -> None:
        """*stop*: what a cancelled workflow means for the deployments; else they are left as they are."""
        self._runner, self._stop_them, self._tell = runner, stop, tell
        self._view = view_for(arguments, runner.store.events)
        self._cancelling = Cancelling()
        self._stopping: asyncio.Task[None] | None = None
        self._made: list[str] = []

    async def run(self, create: Callable[[], list[str]]) -> int:
        """*create*: makes the deployments, and returns their IDs. Returns the exit status."""
        since = self._runner.store.last_entry_id()
        with self._cancelling.heeded(self._cancelled):
            self._made = await asyncio.to_thread(create)
            watched = Watched(self._runner.store, self._made)
            self._tell_outcome(watched.deployments())
            if self._cancelling.asked:  # while they were being made
                self._cancelled()
            await self._showing(watched, since)
            if self._stopping:
                await self._stopping
        ended = watched.all_ended()
        self._tell_outcome(watched.deployments(), *self._notes(ended))
        if not ended:
            return exits.INTERRUPTED
        return exits.FINE if all_succeeded(watched) else exits.DEPLOYMENT_FAILED

    async def _showing(self, watched: Watched, since: int) -> None:
        progress = Progress(self._runner.store, self._view, since)
        progress.begin_with(watched.ids())
        showing = asyncio.create_task(progress.run())
        try:
            await self._to_the_end(watched)
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
            await progress.finish()

    async def _to_the_end(self, watched: Watched) -> None:
        def enough() -> bool:
            return self._cancelling.leaving.is_set() or watched.all_ended()

        told = False
        while not enough():
            try:
                with self._runner.driving():
                    await self._runner.drive(enough, signals=False)
            except StateFolderBusy as busy:
                if not told:
                    told = True
                    print(f"{busy.message.partition(';')[0]} and carries this out; following it")
                await self._follow(enough)

    async def _follow(self, enough: Callable[[], bool]) -> None:
        for _ in range(_TRY_THE_LOCK_EVERY):
            if await asyncio.to_thread(enough):
                return
            await asyncio.sleep(LOOK_EVERY)

    def _cancelled(self) -> None:
        if not self._made:
            return  # `run` comes back to it
        what = "stopped" if self._stop_them else "left as they are"
        print(f"the workflow was cancelled: the deployments are {what}")
        if not self._stop_them:
            self._cancelling.leaving.set()
        self._stopping = asyncio.create_task(asyncio.to_thread(self._stop))

    def _stop(self) -> None:
        """Recorded at once, and written down for whoever looks after this process was killed."""
        for each in self._made if self._stop_them else ():
            with suppress(DeploymentAlreadyCompleted):
                self._runner.service.stop(each)
        known = [self._runner.store.deployment(each) for each in self._made]
        self._tell_outcome(known, "The workflow was cancelled. This is how far it was then.")

    def _notes(self, ended: bool) -> tuple[str, ...]:
        if not self._cancelling.asked:
            return ()
        if ended:
            return ("The workflow was cancelled.",)
        what = "The deployments were told to stop, and" if self._stop_them else "The deployments were left as they are:"
        return (f"The workflow was cancelled. {what} the next run on this state carries on with them.",)

    def _tell_outcome(self, deployments: Iterable[Deployment], *notes: str) -> None:
        self._tell(Outcome(tuple(self._rollouts(deployments)), notes))

    def _rollouts(self, deployments: Iterable[Deployment]) -> Iterator[Rollout]:
        for each in deployments:
            yield rollout(each, self._runner.store.targets(each.id), asked=each.id in self._made)
