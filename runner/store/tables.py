"""The tables. One set for every database; the invariants that matter most are constraints here, not code elsewhere.

Times are ISO 8601 text in UTC with microseconds (they sort as they read); nouns that nobody queries by are JSON.
"""

import datetime as dt
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Time(TypeDecorator[dt.datetime]):
    """A timezone-aware time, kept as UTC text."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else in_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else dt.datetime.fromisoformat(value)


def in_text(time: dt.datetime) -> str:
    """As the database keeps it: such texts sort as the times do."""
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds")


metadata = MetaData()

refs = Table(
    "refs",
    metadata,
    Column("repository", String(100), primary_key=True),
    Column("ref", String(512), primary_key=True),
    Column("commit_id", String(64), nullable=False),
    Column("seen_at", Time, nullable=False),
    comment="Where each ref of each repository was last seen; a change is a row that moved",
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", String(100), nullable=False),
    Column("ref", String(512), nullable=False),
    Column("commit_id", String(64), nullable=False),
    Column("before", String(64)),
    Column("seen_by", String(10), nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("status", String(10), nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Time),
    CheckConstraint("status IN ('Pending', 'Acted', 'Ignored', 'Refused', 'Superseded')", name="change_status"),
    Index("changes_pending", "next_attempt_at", sqlite_where=text("status = 'Pending'")),
    comment="Recorded before anything is done about them; acted on once",
)

applications = Table(
    "applications",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("platform", String(10), nullable=False),
    Column("repository", String(100)),
    Column("file", String(1024)),
    Column("considered_commit", String(64), comment="the last commit whose changes to this application were judged"),
    Column("created_at", Time, nullable=False),
    Column("id", String(36), comment="stays when it is renamed"),
    comment="An application made by a manifest is owned by that repository and file; others were made by the wire API",
)

groups = Table(
    "deployment_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("application", ForeignKey("applications.name"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("settings", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("target_revision", Text),
    Column("last_attempted", String(20)),
    Column("last_successful", String(20)),
    Column("created_at", Time, nullable=False),
    Column("deleted_at", Time, comment="its name is a tombstone then: `~` and the ID; deployments still point here"),
    Column("live", Text, comment="the hosts that have the traffic, once one fleet has replaced another"),
    UniqueConstraint("application", "name", name="group_name"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("application", ForeignKey("applications.name"), nullable=False),
    Column("change_id", ForeignKey("changes.id")),
    Column("revision", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("application", "change_id", name="release_once"),
    comment="One pinned revision on its way through an application's groups; a change makes at most one per application",
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("number", Integer, nullable=False, unique=True, comment="order of creation"),
    Column("application", String(100), nullable=False),
    Column("group_name", String(100), nullable=False),
    Column("group_id", ForeignKey("deployment_groups.id"), nullable=False),
    Column("release_id", ForeignKey("releases.id")),
    Column("change_id", ForeignKey("changes.id")),
    Column("revision", Text, nullable=False),
    Column("pinned", Text, comment="what a revision without a pin was when the deployment began"),
    Column("previous_revision", Text),
    Column("appspec", String(255), nullable=False),
    Column("settings", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("creator", String(30), nullable=False),
    Column("status", String(12), nullable=False),
    Column("error", Text),
    Column("rollback", Text),
    Column("waiting_for", Text),
    Column("waiting_until", Time),
    Column("stop_requested", Boolean, nullable=False, server_default="0"),
    Column(
        "stop_rollback",
        Boolean,
        comment="what the stop request says of rolling back; NULL: the group's settings decide",
    ),
    Column("continue_requested", Boolean, nullable=False, server_default="0"),
    Column("preparing", Boolean, nullable=False, server_default="0"),
    Column("prepared", Text, comment="bundle and AppSpec, once fetched and checked"),
    Column("plan", Text),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("hold_until", Time),
    Column("wait", String(12), comment="kind of the wait that a program is in"),
    Column("act", String(12), comment="how the act on whole fleets that is the step went so far"),
    Column("batch", Integer, comment="place in the plan of the stage that is the step, of fleets"),
    Column("alarm", Text, comment="why it is to stop: an alarm or a check that failed"),
    Column("created_at", Time, nullable=False),
    Column("started_at", Time),
    Column("completed_at", Time),
    Column("dirty", Boolean, nullable=False, server_default="1", comment="something happened; the driver must look"),
    Column("wake_at", Time, comment="when to look again though nothing happens"),
    Column("sequence", Integer, nullable=False, server_default="0", comment="of its last journal entry"),
    Column("hash", String(64), nullable=False, comment="of its last journal entry"),
    CheckConstraint(
        "status IN ('Created', 'Queued', 'InProgress', 'Ready', 'Succeeded', 'Failed', 'Stopped')",
        name="deployment_status",
    ),
    # The one invariant of the house: a deployment group has at most one active deployment; but for those to instances that
    # Auto Scaling launches or ends, see `model.deployment.BESIDE`. PostgreSQL will want the same
    # condition as `postgresql_where`; naming it here already would load that dialect at every start.
    Index(
        "one_active_deployment_per_group",
        "group_id",
        unique=True,
        sqlite_where=text(
            "status IN ('Queued', 'InProgress', 'Ready') AND creator NOT IN ('autoscaling', 'autoscalingTermination')"
        ),
    ),
    Index("deployments_of_group", "group_id", "number"),
    Index("deployments_dirty", "dirty", sqlite_where=text("dirty")),
    Index("deployments_timers", "wake_at", sqlite_where=text("wake_at IS NOT NULL")),
    Index(
        "deployments_unfinished", "status", sqlite_where=text("status IN ('Created', 'Queued', 'InProgress', 'Ready')")
    ),
    Index("deployments_of_release", "release_id"),
    Index("deployments_of_change", "change_id"),
)

targets = Table(
    "targets",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id"), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("healthy", Boolean, nullable=False, comment="before this deployment"),
    Column("host", Text, nullable=False, comment="how to reach it, as configured when the deployment began; or empty"),
    Column("state", Text, comment="of a function or a service: as it is now"),
    Column("label", String(5), comment="Blue or Green, where one fleet of servers replaces another"),
    Column("status", String(12), nullable=False),
    Column("event", Integer, nullable=False, server_default="-1", comment="index of the lifecycle event under way"),
    Column("event_status", String(12), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("updated_at", Time),
    sqlite_with_rowid=False,
)

lifecycle_events = Table(
    "lifecycle_events",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id"), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("event", Integer, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", String(12), nullable=False),
    Column("started_at", Time),
    Column("ended_at", Time),
    Column("diagnostics", Text),
    sqlite_with_rowid=False,
)

instance_health = Table(
    "instance_health",
    metadata,
    Column("group_id", ForeignKey("deployment_groups.id"), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("healthy", Boolean, nullable=False),
    Column("revision", String(10), nullable=False),
    sqlite_with_rowid=False,
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("deployment_id", ForeignKey("deployments.id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("kind", String(60), nullable=False),
    Column("target", String(100)),
    Column("lifecycle_event", String(40)),
    Column("attempt", Integer),
    Column("details", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # A driver that acts on an old reading cannot append: its sequence is taken.
    UniqueConstraint("deployment_id", "sequence", name="journal_sequence"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("deployment_id", ForeignKey("deployments.id"), nullable=False),
    Column("to", String(512), nullable=False),
    Column("event", String(30), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("status", String(10), nullable=False, server_default="Pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Time),
    Column("last_error", Text),
    Column("sent_at", Time),
    CheckConstraint("status IN ('Pending', 'Sent', 'Failed')", name="outbox_status"),
    Index("outbox_due", "next_attempt_at", sqlite_where=text("status = 'Pending'")),
    sqlite_autoincrement=True,
    comment="Notifications, written in the transaction of what they tell; delivered at least once",
)

repositories = Table(
    "repositories",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("last_seen_at", Time),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    comment="How watching each repository goes; for people",
)

deployment_configs = Table(
    "deployment_configs",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("platform", String(10), nullable=False),
    Column("minimum_healthy", Text),
    Column("traffic", JSON),
    Column("zonal", JSON),
    Column("created_at", Time, nullable=False),
    comment="Those made through the wire API; the predefined ones are in pipelines/",
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("application", ForeignKey("applications.name"), nullable=False),
    Column("identity", String(64), nullable=False, comment="SHA-256 of all members that tell revisions apart"),
    Column("revision", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("registered_at", Time, nullable=False),
    Column("first_used_at", Time),
    Column("last_used_at", Time),
    UniqueConstraint("application", "identity", name="revision_once"),
)

on_premises_instances = Table(
    "on_premises_instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("iam_user_arn", String(512)),
    Column("iam_session_arn", String(512)),
    Column("tags", JSON, nullable=False),
    Column("registered_at", Time, nullable=False),
    Column("deregistered_at", Time),
    Index("instance_name", "name", unique=True, sqlite_where=text("deregistered_at IS NULL")),
    Index("instance_user", "iam_user_arn", unique=True, sqlite_where=text("deregistered_at IS NULL")),
    Index("instance_session", "iam_session_arn", unique=True, sqlite_where=text("deregistered_at IS NULL")),
    comment="A name that was deregistered may be registered again, as a new row",
)

resource_tags = Table(
    "resource_tags",
    metadata,
    Column("resource", String(60), primary_key=True, comment="kind and ID, so that a rename keeps the tags"),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
    sqlite_with_rowid=False,
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("secret", Text, nullable=False, comment="encrypted with a key that is not in the database"),
    Column("role", String(10), nullable=False),
    Column("host", String(100)),
    Column("description", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False),
    Column("last_used_at", Time),
    Column("revoked_at", Time),
    CheckConstraint("role IN ('reader', 'deployer', 'admin', 'host')", name="access_key_role"),
    Index("access_keys_revoked", "revoked_at", sqlite_where=text("revoked_at IS NOT NULL")),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("host", String(100), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
    comment="One-time tokens by which an agent gets its host's key",
)

answers = Table(
    "answers",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Time, nullable=False),
    Index("answers_at", "at"),
    comment="What signed requests that change something were answered, written in the transaction of the change",
)

host_commands = Table(
    "host_commands",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id"), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("event", String(40), primary_key=True, comment="name of the lifecycle event"),
    Column("attempt", Integer, primary_key=True),
    Column("status", String(12), nullable=False),
    Column("handed_out", Integer, nullable=False, server_default="0", comment="how often"),
    Column("acknowledged", Integer, comment="which handing-out the agent took up; the first one counts"),
    Column("queued_at", Time, nullable=False),
    Column("handed_out_at", Time),
    Column("acknowledged_at", Time),
    Column("completed_at", Time),
    Column("outcome", Text),
    CheckConstraint("status IN ('Pending', 'InProgress', 'Succeeded', 'Failed')", name="host_command_status"),
    Index("host_commands_waiting", "target", sqlite_where=text("status IN ('Pending', 'InProgress')")),
    sqlite_with_rowid=False,
    comment="Lifecycle events for hosts whose agent asks for them; the first Complete wins",
)

agents = Table(
    "agents",
    metadata,
    Column("host", String(100), primary_key=True),
    Column("last_contact_at", Time, nullable=False),
    Column("version", String(100), nullable=False, server_default=""),
    Column("identifier", String(512), nullable=False, server_default="", comment="what it calls its host"),
)

hook_executions = Table(
    "hook_executions",
    metadata,
    Column("deployment_id", ForeignKey("deployments.id"), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("event", String(40), primary_key=True, comment="name of the lifecycle event"),
    Column("attempt", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True, comment="what the function sends back"),
    Column("status", String(12), nullable=False),
    Column("begun_at", Time, nullable=False),
    Column("invoked_at", Time, comment="recorded before the function is invoked, and then never again"),
    Column("ended_at", Time),
    CheckConstraint("status IN ('InProgress', 'Succeeded', 'Failed', 'GivenUp')", name="hook_execution_status"),
    sqlite_with_rowid=False,
    comment="Lifecycle events that are Lambda functions of the user's; the first answer counts",
)

suspensions = Table(
    "suspensions",
    metadata,
    Column("deployment_id", String(40), primary_key=True, comment="also of one that was deleted since"),
    Column("auto_scaling_group", String(255), primary_key=True),
    Column("place", Text, nullable=False),
    Column("processes", Text, nullable=False, comment="those that were not suspended by somebody else"),
    Column("begun_at", Time, nullable=False, comment="recorded before they are suspended"),
    Column("resumed_at", Time),
    Index("suspensions_open", "deployment_id", sqlite_where=text("resumed_at IS NULL")),
    sqlite_with_rowid=False,
    comment="Processes of Auto Scaling groups that are suspended for a deployment",
)

lifecycle_hooks = Table(
    "lifecycle_hooks",
    metadata,
    Column("group_id", String(36), primary_key=True, comment="also of one that was deleted since"),
    Column("place", String(1024), primary_key=True),
    Column("auto_scaling_group", String(255), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("transition", String(11), nullable=False, comment="launching or terminating"),
    sqlite_with_rowid=False,
    comment="Lifecycle hooks in Auto Scaling, recorded before they are installed and until they are removed",
)

lifecycle_actions = Table(
    "lifecycle_actions",
    metadata,
    Column("group_id", String(36), primary_key=True, comment="also of one that was deleted since"),
    Column("instance", String(100), primary_key=True),
    Column("transition", String(11), primary_key=True, comment="launching or terminating"),
    Column("place", String(1024), nullable=False),
    Column("auto_scaling_group", String(255), nullable=False),
    Column("name", String(255), nullable=False, comment="of the hook that holds it"),
    Column("target", String(100), comment="of one that ends: its name as a host of the group, or else its ID"),
    Column("deployment_id", String(20), comment="NULL: nothing was there to deploy"),
    Column("begun_at", Time, nullable=False),
    Column("beaten_at", Time, nullable=False, comment="last heartbeat"),
    Column("told_at", Time, comment="Auto Scaling knows the result, or waits no more"),
    Column("settled_at", Time, comment="nothing is left to be done"),
    Column("follow_up", String(20), comment="deployment that brought it up to date"),
    Column("root", String(20), comment="deployment that the follow-up repeats"),
    Index("lifecycle_actions_open", "begun_at", sqlite_where=text("settled_at IS NULL")),
    sqlite_with_rowid=False,
    comment="Instances that a lifecycle hook holds or held; each is deployed to once in each transition",
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, comment="in the order in which they were stored"),
    Column("repository", String(100), nullable=False),
    Column("delivery", String(128), nullable=False, comment="the sender's ID"),
    Column("event", String(64), nullable=False),
    Column("refs", Text, nullable=False),
    Column("body", String(64), nullable=False, comment="SHA-256"),
    Column("received_at", Time, nullable=False),
    Column("settled_at", Time, comment="a look at the repository that began later is recorded, or none is wanted"),
    Column("message", Text, nullable=False, server_default=""),
    UniqueConstraint("repository", "delivery", name="delivery_once"),
    Index("deliveries_open", "repository", sqlite_where=text("settled_at IS NULL")),
    comment="Deliveries of webhooks, stored before they are acknowledged",
)

last_deliveries = Table(
    "last_deliveries",
    metadata,
    Column("repository", String(100), primary_key=True),
    Column("delivery", String(128), nullable=False),
    Column("event", String(64), nullable=False),
    Column("refs", Text, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("heard_at", Time, comment="of the last one that asked for a look"),
    sqlite_with_rowid=False,
    comment="The last delivery for each repository",
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("repository", String(100), primary_key=True),
    Column("problem", Text, nullable=False, server_default="", comment="of its secrets"),
    sqlite_with_rowid=False,
    comment="Webhooks that the process takes which listens, or did last",
)

previews = Table(
    "previews",
    metadata,
    Column("repository", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, comment="of an open pull request"),
    Column("head", String(64), nullable=False),
    Column("base", Text, nullable=False, comment="branch and commit ID"),
    Column("said", String(64), nullable=False, comment="hash of what was told, without these two"),
    Column("told_at", Time, nullable=False),
    sqlite_with_rowid=False,
    comment="Which pull requests were told what merging them would deploy",
)

preview_failures = Table(
    "preview_failures",
    metadata,
    Column("repository", String(100), primary_key=True),
    Column("failed_at", Time, nullable=False),
    Column("failures", Integer, nullable=False, comment="in a row"),
    Column("untold", Integer, nullable=False, comment="pull requests that were to be told, and were not"),
    Column("error", Text, nullable=False),
    sqlite_with_rowid=False,
    comment="Repositories whose pull requests could not be told the last time; for people",
)
