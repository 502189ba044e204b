"""The deployments that one change of a repository has made: written down that somebody is to be told, and read for that."""

import datetime as dt

import msgspec
import sqlalchemy as sa

from runner.model.deployment import Deployment
from runner.model.manifest import TriggerEvent
from runner.model.pull_request import RolloutNews, RolloutReport
from runner.plan.rollout_rows import MOST_ROWS, rollout_report
from runner.store import outbox, reading
from runner.store import tables as t
from runner.store.database import Database

_WAITING = 2  # messages about one change: one that is perhaps on its way, and one that will say what is new since


class StoredRollouts:
    """What `Forges` wants to know when it tells a pull request how its deployments go."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, news: RolloutNews) -> RolloutReport:
        """As it is at this moment: the first `MOST_ROWS` deployments of the change, and those that roll them back."""
        d = t.deployments.c
        same = d.change_id == news.change_id
        with self._db.read() as tx:
            count = tx.execute(sa.select(sa.func.count()).where(same)).scalar_one()
            first = tx.execute(sa.select(d.id).where(same).order_by(d.number).limit(MOST_ROWS)).scalars().all()
            found = reading.deployments(tx, d.id.in_(first))
            back = [each.rollback.rollback_deployment_id for each in found if each.rollback]
            ways_back = reading.deployments(tx, d.id.in_([each for each in back if each])) if any(back) else []
        return rollout_report(news, [*reversed(found), *reversed(ways_back)], count)


def news_of(tx: sa.Connection, deployment: Deployment, repository: str) -> RolloutNews | None:
    """That *deployment* moved, or the one that it rolls back; None where no change of *repository* has asked for it."""
    d, c = t.deployments.c, t.changes.c
    change_id = deployment.change_id
    undone = deployment.rollback.rollback_triggering_deployment_id if deployment.rollback else None
    if undone is not None:
        change_id = tx.execute(sa.select(d.change_id).where(d.id == undone)).scalar()
    row = tx.execute(sa.select(c.id, c.repository, c.commit_id).where(c.id == change_id)).first()
    if row is None or row.repository != repository:
        return None
    return RolloutNews(repository=repository, commit_id=row.commit_id, change_id=row.id)


def post_news(
    tx: sa.Connection, deployment: Deployment, event: TriggerEvent, news: RolloutNews, to: str, now: dt.datetime
) -> None:
    """Have it told. What is told is read when it is sent, so that what waits already is enough for much that happens."""
    o, subject = t.outbox.c, f"rollout of change {news.change_id}"
    pending = o.status == sa.literal_column("'Pending'")  # in these words, as an index is for them alone
    waiting = sa.select(sa.func.count()).where(
        pending, o.next_attempt_at.is_not(None), o.to == to, o.subject == subject
    )
    if tx.execute(waiting).scalar_one() >= _WAITING:
        return
    outbox.put(tx, deployment.id, to, event, subject, msgspec.to_builtins(news), now)
