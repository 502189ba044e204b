"""Shows rollouts while they happen, by the very view that `penstock serve` has on its own terminal."""

import argparse
import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runner.cli.progress import Progress, view_for
from runner.model.deployment import Deployment
from runner.plan.lifecycle import server_in_place
from runner.store.store import Store

LOOK_EVERY = 0.1  # seconds


class Screen:
    """Looks into the state folder that the real program works on; reads only."""

    def __init__(self, state: Path) -> None:
        self._store = Store(state, server_in_place())

    def close(self) -> None:
        self._store.close()

    def now(self) -> int:
        """The newest entry of the journal: what comes after it is news."""
        return self._store.last_entry_id()

    def follow(
        self, commit: str, groups: tuple[str, ...], since: int, patience: float, is_hopeful: Callable[[], bool]
    ) -> dict[str, str] | None:
        """Show what happens until the commit's deployments to *groups*, and their rollbacks, have ended.

        Returns the deployments' IDs by group; None when they had not ended within *patience* seconds, or while it was
        hopeful to wait.
        """
        deadline = time.monotonic() + patience
        return asyncio.run(
            self._follow(
                lambda: self._ended(commit, groups), since, lambda: time.monotonic() < deadline and is_hopeful()
            )
        )

    async def _follow(
        self, ended: Callable[[], dict[str, str] | None], since: int, is_hopeful: Callable[[], bool]
    ) -> dict[str, str] | None:
        plain = argparse.Namespace(output="text", verbose=False)
        progress = Progress(self._store, view_for(plain, self._store.events), since)
        showing = asyncio.create_task(progress.run())
        try:
            while (found := ended()) is None and is_hopeful() and not showing.done():
                await asyncio.wait({showing}, timeout=LOOK_EVERY)
            return found
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
            await progress.finish()

    def _ended(self, commit: str, groups: tuple[str, ...]) -> dict[str, str] | None:
        known = {each.id: each for each in self._store.deployments(application="shop")}
        ours = {
            each.group: each
            for each in known.values()
            if each.creator == "CodeDeploy" and getattr(each.revision, "commit_id", None) == commit
        }
        if set(ours) != set(groups) or not all(_has_ended(each, known) for each in ours.values()):
            return None
        return {group: ours[group].id for group in groups}


def _has_ended(deployment: Deployment, known: dict[str, Deployment]) -> bool:
    rollback = deployment.rollback.rollback_deployment_id if deployment.rollback else None
    return deployment.status.is_terminal and (rollback is None or known[rollback].status.is_terminal)
