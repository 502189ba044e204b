"""Every place where the runner meets the outside, as Protocols. Each docstring is a promise that the contract suites hold.

Errors: an adapter translates what its library raises into `WorldError` (with `retryable`) or a `UserError`; nothing
else leaves its room. Methods that are not `async` may block, and are called from threads.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from runner.model.change import Change, SeenBy
from runner.model.command import Command, FleetTask, Job, Outcome
from runner.model.deployment import Creator, Deployment, DeploymentStatus, Options
from runner.model.fleets import Live
from runner.model.journal import Entry
from runner.model.manifest import GroupSettings, Manifest, TriggerEvent
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.revision import Bundle, Commit, ImageLocation, ImageRevision, Revision, S3Location, S3Revision
from runner.model.status import ChangeStatus, State
from runner.model.target import Host, InstanceHealth, Target
from runner.model.traffic import LoadBalancing
from runner.model.value import Value
from runner.model.work import Action, Advance, Result, Wish

Clock: TypeAlias = Callable[[], dt.datetime]
"""Now, in UTC, timezone-aware."""


class Repository(Protocol):
    """One git repository, mirrored in the state folder. No work tree is ever made. Safe to use from several threads."""

    @property
    def name(self) -> str: ...

    def heads(self) -> dict[str, str]:
        """Ask the remote: full ref name to commit ID, branches and tags only; an annotated tag gives its commit.

        Raises `WorldError`: unreachable, gone, refused (the message says which, and never shows a password).
        """
        ...

    def fetch(self, commit_id: str) -> None:
        """Make sure that the mirror holds *commit_id* and its history. Does nothing when it does.

        Raises `RevisionDoesNotExist` when the remote has no such commit (any more), `WorldError` when it cannot say.
        """
        ...

    def commit(self, commit_id: str) -> Commit:
        """Raises `RevisionDoesNotExist`, or `UserError` for a short or malformed ID. Needs no network."""
        ...

    def manifests(self, commit_id: str) -> dict[str, str]:
        """Path to text of every `penstock.yaml` in any folder and every `.penstock/*.yaml`, read from the commit's tree.

        Raises `UserError` for a file that is not UTF-8 or over 1 MiB.
        """
        ...

    def read(self, commit_id: str, path: str) -> bytes | None:
        """One file of the commit's tree, None when there is none."""
        ...

    def changed_paths(self, before: str, after: str) -> frozenset[str] | None:
        """Paths that differ between two commits' trees (both names of a rename); None when *before* is not known."""
        ...

    def is_ancestor(self, before: str, after: str) -> bool:
        """Whether *after* builds on *before*. False when *before* is not known: somebody rewrote history."""
        ...


class Sources(Protocol):
    """Where revisions come from. Bundles are cached by content and fetched once, however many ask at the same time."""

    def repository(self, name: str) -> Repository:
        """Raises `UserError` when the configuration has no repository of that name."""
        ...

    def judge(self, repository: str, commit_id: str, *, demanded: bool = False) -> bool:
        """Whether the commit, which was fetched, had to be signed, by somebody who may; then it is. *demanded*: it has to.

        Raises `InvalidRevision` when it is not, saying why and what to do, or when it is *demanded* and the configuration
        names no signers; `WorldError`.
        """
        ...

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        """Pin an object in S3 without downloading it. *commit_id*: whose manifest names it.

        Raises `RevisionDoesNotExist` (no such bucket, key or version), `InvalidRevision` (another ETag than the manifest
        demands; pin `version` on a bucket without versions), `WorldError`.
        """
        ...

    def resolve_image(self, location: ImageLocation, git: str, commit_id: str, root: str) -> ImageRevision:
        """Pin a container image by asking its registry for the digest. *git*, *root*, *commit_id*: whose manifest names it.

        Raises `RevisionDoesNotExist` (no such repository or tag), `InvalidRevision` (no name of an image), `WorldError`.
        """
        ...

    def pin(self, revision: Revision) -> Revision:
        """What *revision* means at this moment: an object in S3 that is named without an ETag gets its ETag, and its version
        where there is one. Anything else comes back as it is. Downloads nothing.

        Raises `RevisionDoesNotExist` (no such bucket, key or version), `WorldError`.
        """
        ...

    def fetch(self, revision: Revision) -> Bundle:
        """Bring the revision into the cache, checked against its pin, and checked to be a harmless, sound archive.

        One without a pin is pinned first.

        Raises `InvalidRevision` when the object changed or the archive is corrupt or hostile, `WorldError`.
        """
        ...

    def document(self, revision: Revision, path: str) -> tuple[str, bytes]:
        """The one file of a revision for Lambda or ECS that says what to do, and its name for messages.

        The revision's own text (an AppSpec, in itself or in S3, checked against its pin), or the file *path*, below the
        application's root, of the commit. What was read once of a commit needs no repository any more.
        Raises `InvalidRevision` (no such file, changed, over 1 MiB, an archive), `RevisionDoesNotExist`, `WorldError`.
        """
        ...

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        """One file of the bundle (a single top folder that holds the AppSpec is looked through), None if absent."""
        ...


Report: TypeAlias = Callable[[str], None]
"""Takes a piece of a script's output, whole lines, as it comes: `[stdout]...`, `[stderr]...`."""


class Platform(Protocol):
    """Runs lifecycle events on targets."""

    async def run(self, command: Command, report: Report) -> Outcome:
        """Run one lifecycle event on one target and return how it ended.

        Idempotent by `command.key`: asked again while it runs, it joins; asked again after the end, it returns the
        recorded outcome and runs nothing, also across the death of either process. A failed script is an `Outcome`. So
        is a host that cannot be reached within five minutes: Failed, UnknownError. Raises nothing but `CancelledError`;
        cancelling does not stop the script.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections; running events go on, on their hosts."""
        ...


class Instances(Protocol):
    """Machines that a cloud has."""

    def of(self, settings: GroupSettings) -> tuple[Host, ...]:
        """The instances that the deployment group has at this moment, in order of name; none where it names none.

        Each has its ID as `name` and `instance`, and its zone. Also those that are powered off: they are targets, and
        fail. Raises `UserError` with CodeDeploy's error code (no such Auto Scaling group), `WorldError`.
        """
        ...


class TrafficPlatform(Protocol):
    """Moves the traffic of one target, a Lambda alias or an ECS service, from one version to another."""

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        """The target's ID (function name; `cluster:service`) and its state before anything is done; changes nothing.

        With `job.restoring`: whether that can be undone. May block. Raises `UserError` with CodeDeploy's error code when
        the target is not fit for the deployment, `WorldError` when it cannot be said.
        """
        ...

    async def act(self, task: Task, report: Report) -> Outcome:
        """Do one act and return how it ended, with the target's new state.

        Idempotent by `task.key`: asked again, also after the death of the process at any point, it finds what is done
        already and does the rest; nothing is ever made twice. What somebody else has changed meanwhile is not overwritten:
        the act fails and says what was found. Throttling and a service that does not answer are waited out within the
        act's own time limit. Raises nothing but `CancelledError`; cancelling leaves the rest undone.
        """
        ...

    async def close(self) -> None: ...


class Fleets(Protocol):
    """Makes and ends whole fleets of servers."""

    async def act(self, task: FleetTask, report: Report) -> Outcome:
        """Carry *task* out. Asked again with an equal one, after a crash too, it looks at what is there already and does the
        rest; nothing is ever made twice. After Provision, the outcome has the hosts that were made, all of them running.
        """
        ...


class Traffic(Protocol):
    """Takes hosts out of a load balancer's traffic and puts them back.

    Safe to repeat, also after a process died at any point of it: what is done already is not done again. Raises
    `LoadBalancerFailed`. What a wait has come to is told to *report*, in whole lines.
    """

    async def block(self, host: Host, where: LoadBalancing, report: Report) -> None:
        """Send *host* nothing new, and wait until what it had has ended, or until the balancer's limit.

        Past the limit: raises, or lets the rest be cut off, as the runner's configuration says.
        """
        ...

    async def allow(self, host: Host, where: LoadBalancing, report: Report) -> None:
        """Send *host* traffic again, and wait until the balancer finds it healthy. Raises when it does not in time."""
        ...

    async def check(self, hosts: Sequence[Host], where: LoadBalancing) -> None:
        """Find what would fail for any of *hosts*; changes nothing. Raises `InvalidLoadBalancer` where it knows one not."""
        ...


class Message(Value, frozen=True, kw_only=True):
    """A notification on its way: the same shape for every notifier."""

    id: int  # of the outbox; stable over retries, so that a receiver can tell a repetition
    to: str  # sns:<ARN>, webhook:<name>, or <forge>:<repository>, whose body is a Report
    event: TriggerEvent
    subject: str
    body: dict[str, str | None]
    created_at: dt.datetime


class Notifier(Protocol):
    """Delivers messages to one kind of destination."""

    def send(self, message: Message) -> None:
        """Deliver, or raise `WorldError` (retryable or not), `UserError` when it can never work. Gives up after 10 s."""
        ...


class OutboxStore(Protocol):
    """Where messages wait until they are delivered. Every method is one transaction, and may block.

    Messages to one destination are delivered in order: only the oldest of each that still waits, its *head*, counts below.
    """

    def due_messages(self, now: dt.datetime, limit: int) -> list[Message]:
        """The heads whose time has come, oldest first, at most *limit*. A new message's time has come."""
        ...

    def next_message_at(self) -> dt.datetime | None:
        """When the next head is due, be it in the past; None when no message waits."""
        ...

    def message_sent(self, message_id: int, at: dt.datetime) -> None: ...

    def message_failed(self, message_id: int, error: str, retry_at: dt.datetime | None) -> None:
        """Due again at *retry_at*; None: given up, kept with its *error*, and the next of its destination becomes head."""
        ...


class Watcher(Protocol):
    """Sees that refs moved. Emits observations, deploys nothing."""

    async def run(self, observe: "Observe") -> None:
        """Watch until cancelled, calling *observe* with what the repository has now, as often as it likes."""
        ...


Observe: TypeAlias = Callable[[str, Mapping[str, str]], None]
"""Takes a repository's name and its heads (those that the configuration selects). Cheap to repeat; may be called from any
thread; it returns once what is new has been recorded durably."""


class DriverStore(Protocol):
    """What the driver needs of the store. Every method is one transaction."""

    def advance(self, results: Sequence[Result], now: dt.datetime, *, draining: bool = False) -> Advance:
        """Record *results* (late ones change nothing), decide on all that is dirty or due, return what to do.

        What is returned is durable as an intent. *draining*: record only.
        """
        ...

    def in_flight(self) -> list[Action]:
        """Actions that are recorded as begun and not as ended."""
        ...

    def job(self, deployment_id: str) -> tuple[Job, dict[str, Host]]:
        """What the commands of a deployment carry, and its hosts by name; the same for its whole life."""
        ...

    def version(self) -> int:
        """Changes whenever anybody has written. Cheap."""
        ...


class Logs(Protocol):
    """Where the output of scripts is kept on the control side. *event*: the lifecycle event's number in its pipeline."""

    def begin(self, deployment_id: str, target: str, event: int) -> None:
        """The output of *event* is about to come, whole: what was kept of it before (by a process that died) is dropped."""
        ...

    def append(self, deployment_id: str, target: str, event: int, text: str) -> None: ...

    def read(self, deployment_id: str, target: str) -> str:
        """The output of all events, in their order; empty when there was none."""
        ...


class FlowStore(Protocol):
    """What the flow needs of the store."""

    def observe(self, repository: str, heads: Mapping[str, str], seen_by: SeenBy, now: dt.datetime) -> int:
        """Record which refs moved since they were last observed; returns how many new changes that makes."""
        ...

    def pending_changes(self, now: dt.datetime) -> list[Change]: ...

    def next_change_at(self) -> dt.datetime | None: ...

    def considered_commits(self) -> dict[str, str]:
        """Application to the last commit that was judged for it."""
        ...

    def act(
        self,
        change: Change,
        considered: Sequence[Manifest],
        wanted: Sequence[tuple[Manifest, Revision]],
        now: dt.datetime,
        *,
        message: str,
    ) -> list[str]:
        """Turn a change into deployments, all at once and only once. Returns their IDs."""
        ...

    def settle_change(self, change_id: int, status: ChangeStatus, message: str) -> None: ...

    def postpone_change(self, change_id: int, message: str, until: dt.datetime) -> None: ...


class ServiceStore(Protocol):
    """What the verbs need of the store."""

    def create_releases(
        self, repository: str, wanted: Sequence[Wish], creator: Creator, options: Options, now: dt.datetime
    ) -> list[str]:
        """All of them in one transaction, or none."""
        ...

    def create_again(self, like: Deployment, options: Options, now: dt.datetime) -> str: ...

    def create_restoring(self, ended: Deployment, now: dt.datetime) -> str:
        """A new deployment that gives the traffic back as it was before *ended*. Where the original fleet of servers is
        gone, the replacement gets the earlier revision. Raises `DeploymentAlreadyCompleted`."""
        ...

    def is_last(self, deployment_id: str) -> bool:
        """Whether nothing else has begun in its group since, but for its own way back."""
        ...

    def request_stop(self, deployment_id: str, now: dt.datetime, *, rollback: bool | None) -> Deployment: ...

    def request_continue(self, deployment_id: str, now: dt.datetime) -> Deployment: ...

    def deployment(self, deployment_id: str) -> Deployment: ...

    def deployments(
        self,
        *,
        application: str | None = None,
        group: str | None = None,
        statuses: Sequence[DeploymentStatus] = (),
        release_id: int | None = None,
        limit: int | None = None,
    ) -> list[Deployment]: ...

    def targets(self, deployment_id: str) -> list[Target]: ...

    def journal(self, deployment_id: str) -> list[Entry]: ...

    def last_successful(self, application: str, group: str) -> Deployment | None: ...

    def live(self, application: str, group: str) -> Live | None:
        """The fleet of servers that has the traffic, where one has replaced another; None as well where none is known."""
        ...

    def groups(self, application: str) -> list[str]: ...

    def instance_health(self, application: str, group: str) -> list[InstanceHealth]: ...

    def state(self) -> State: ...
