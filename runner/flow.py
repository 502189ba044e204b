"""The sentence of the house: a change is watched, its manifests rendered, revisions resolved, deployments planned.

From there on the driver executes and the outbox notifies; both take what is durable in the store, not what is said here.
A change is acted on once, in one transaction, however often this page is read.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache, partial

from runner.errors import RevisionDoesNotExist, RunnerError, UserError, WorldError
from runner.log import get_logger
from runner.model.change import Change, SeenBy
from runner.model.manifest import Manifest
from runner.model.program import TargetSpec
from runner.model.revision import GitRevision, ImageLocation, Revision
from runner.model.target import Host
from runner.plan.batches import compile_rollout
from runner.plan.concerns import is_touched, watches
from runner.plan.fleets import fleets_of
from runner.plan.targets import choose
from runner.plan.traffic import check_load_balancer
from runner.ports import Clock, FlowStore, Repository, Sources
from runner.render import appspec, manifest
from runner.render.context import Context
from runner.render.rendered import Rendered
from runner.render.specs import target_spec
from runner.threads import in_thread

WAIT_FOR_OBJECT = dt.timedelta(hours=1)  # a build may upload its bundle after the commit was pushed
FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(seconds=5), dt.timedelta(minutes=5)


class Flow:
    """Acts on the changes that the store holds."""

    def __init__(
        self,
        store: FlowStore,
        sources: Sources,
        hosts: Callable[[], Iterable[Host]],
        environment: dict[str, str],
        clock: Clock,
        load_balancers: Collection[str] = (),
    ) -> None:
        self._store, self._sources, self._hosts = store, sources, hosts
        self._load_balancers = load_balancers  # names
        self._environment, self._clock = environment, clock
        self._rendered = Rendered()
        self._log = get_logger()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._acting: set[asyncio.Task[None]] = set()

    def observe(self, repository: str, heads: Mapping[str, str], seen_by: SeenBy) -> None:
        """Take what a watcher saw; what is new is durable when this returns. May be called from any thread."""
        if self._store.observe(repository, heads, seen_by, self._clock()) and self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self, made: Callable[[], None]) -> None:
        """Act on changes as they come, until cancelled; *made* is called when there are new deployments.

        One repository's changes are acted on one after the other, different repositories' side by side.
        """
        self._loop, busy = asyncio.get_running_loop(), set[str]()
        while True:
            self._woken.clear()
            for change in await asyncio.to_thread(self._store.pending_changes, self._clock()):
                if change.repository not in busy:
                    busy.add(change.repository)
                    task = asyncio.create_task(self._act_in_thread(change, made))
                    self._acting.add(task)
                    task.add_done_callback(self._acting.discard)
                    task.add_done_callback(partial(_leave, busy, change.repository))
            await self._wait(await asyncio.to_thread(self._store.next_change_at), busy=bool(busy))

    async def act_on_pending(self) -> list[str]:
        """Act once on everything that is due now. Returns the deployments made."""
        by_repository: dict[str, list[Change]] = {}
        for change in self._store.pending_changes(self._clock()):
            by_repository.setdefault(change.repository, []).append(change)

        def one_after_the_other(changes: list[Change]) -> list[str]:
            return [made for change in changes for made in self._act_or_say_why_not(change)]

        acted = await asyncio.gather(
            *(in_thread(partial(one_after_the_other, each)) for each in by_repository.values())
        )
        return [made for each in acted for made in each]

    def act(self, change: Change) -> list[str]:
        """Watch, render, resolve, plan: one change into deployments that are durable. Returns their IDs."""
        repository = self._sources.repository(change.repository)
        repository.fetch(change.commit_id)
        manifests = self.render(repository, change.commit_id, branch=change.branch, tag=change.tag)
        concerned = [each for each in manifests if watches(each, branch=change.branch, tag=change.tag)]
        touched = self._touched(concerned, change, repository)
        wanted = [(each, self._resolve_or_wait(each, repository, change)) for each in touched]
        for each, revision in wanted:
            self.check_plan(each, revision, repository)
        why = _why(manifests, concerned, touched, change)
        return self._store.act(change, concerned, wanted, self._clock(), message=why)

    def render(
        self, repository: Repository, commit_id: str, *, branch: str | None, tag: str | None = None
    ) -> tuple[Manifest, ...]:
        """The manifests of one commit, rendered and checked; before, its signature, where one is demanded.

        Raises `InvalidFiles` with every mistake, `InvalidRevision` when somebody else has signed it, or nobody.
        """
        judged = self._sources.judge(repository.name, commit_id)
        files = repository.manifests(commit_id)
        if not files:
            raise UserError(
                f"commit {commit_id[:10]} of {repository.name} holds no penstock.yaml; `penstock init` writes one"
            )
        context = Context(
            commit=repository.commit(commit_id),
            branch=branch,
            tag=tag,
            repository=repository.name,
            environment=self._environment,
        )
        manifests = manifest.read(files, context, self._rendered)
        if not judged and any(each.signed for each in manifests):
            self._sources.judge(repository.name, commit_id, demanded=True)
        return manifests

    def resolve(self, wanted: Manifest, repository: Repository, commit_id: str) -> Revision:
        """What the manifest names, pinned."""
        if wanted.revision is None:
            return GitRevision(repository=repository.name, commit_id=commit_id, root=wanted.root)
        if isinstance(wanted.revision, ImageLocation):
            return self._sources.resolve_image(wanted.revision, repository.name, commit_id, wanted.root)
        return self._sources.resolve(wanted.revision, commit_id)

    def check_plan(self, wanted: Manifest, revision: Revision, repository: Repository) -> None:
        """Find now what would stop a deployment later: hosts, health constraints, load balancers, the commit's files.

        Asks AWS for nothing.
        """
        if wanted.platform != "Server":
            self.specs(wanted, revision)
            return
        for settings in wanted.groups:
            for fleet in fleets_of(settings):
                if not fleet.ec2:
                    compile_rollout(settings.rollout, len(choose(self._hosts(), fleet)))
            check_load_balancer(settings, self._load_balancers)
        if isinstance(revision, GitRevision):
            path = f"{wanted.root}/{wanted.appspec}" if wanted.root else wanted.appspec
            text = repository.read(revision.commit_id, path)
            if text is None:
                raise UserError(f"{wanted.file}: commit {revision.short} holds no {path}; every deployment needs one")
            appspec.parse(text, path)

    def specs(self, wanted: Manifest, revision: Revision) -> dict[str, TargetSpec]:
        """Per deployment group what is done to its function or service; empty for servers. Raises `InvalidFiles` ..."""
        if wanted.platform == "Server":
            return {}
        read = partial(self._sources.document, revision)
        return {each.name: target_spec(revision, each, wanted.appspec, read) for each in wanted.groups}

    async def _act_in_thread(self, change: Change, made: Callable[[], None]) -> None:
        if await in_thread(partial(self._act_or_say_why_not, change)):
            made()
        self._woken.set()

    async def _wait(self, due: dt.datetime | None, *, busy: bool) -> None:
        seconds = LONGEST_PAUSE.total_seconds()
        if due is not None and not busy:  # while one is busy, its end wakes us
            seconds = min(seconds, max(0.0, (due - self._clock()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for: before Python 3.12 that can swallow a cancellation
                await self._woken.wait()

    def _act_or_say_why_not(self, change: Change) -> list[str]:
        log = self._log.bind(repository=change.repository, ref=change.ref, commit=change.commit_id[:10])
        try:
            made = self.act(change)
            log.info("change acted on", deployments=made, seen_by=change.seen_by)
            return made
        except RunnerError as error:
            until = self._try_again_at(change, error)
            if until is None:
                log.error("change refused", error=error.message)
                self._store.settle_change(change.id, "Refused", error.message)
            else:
                log.warning("change postponed", error=error.message, until=until.isoformat(timespec="seconds"))
                self._store.postpone_change(change.id, error.message, until)
        except Exception as bug:
            log.error("change refused by a bug", exc_info=bug)
            self._store.settle_change(change.id, "Refused", f"internal error: {bug!r}")
        return []

    def _try_again_at(self, change: Change, error: RunnerError) -> dt.datetime | None:
        now = self._clock()
        age = now - change.seen_at
        if isinstance(error, WorldError) and error.retryable:
            return now + min(LONGEST_PAUSE, max(FIRST_PAUSE, age / 2))
        return None

    def _resolve_or_wait(self, wanted: Manifest, repository: Repository, change: Change) -> Revision:
        try:
            return self.resolve(wanted, repository, change.commit_id)
        except RevisionDoesNotExist as error:
            if self._clock() - change.seen_at < WAIT_FOR_OBJECT:
                raise WorldError(f"{error.message}; waiting for it to be uploaded") from error
            raise

    def _touched(self, concerned: Iterable[Manifest], change: Change, repository: Repository) -> list[Manifest]:
        """Those of which anything differs from the last commit that was judged for the application."""
        if change.tag is not None:
            return list(concerned)
        considered = self._store.considered_commits()
        changed = cache(partial(repository.changed_paths, after=change.commit_id))
        return [
            each
            for each in concerned
            if (before := considered.get(each.application)) is None or is_touched(each, changed(before))
        ]


def _leave(busy: set[str], repository: str, _task: object) -> None:
    busy.discard(repository)


def _why(manifests: Iterable[Manifest], concerned: list[Manifest], touched: list[Manifest], change: Change) -> str:
    if not concerned:
        names = ", ".join(each.application for each in manifests)
        return f"no application of this commit ({names}) watches {change.ref}"
    if not touched:
        return "no path that the applications watch has changed"
    return "deploys " + ", ".join(each.application for each in touched)
