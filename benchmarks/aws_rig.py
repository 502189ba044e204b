"""AWS on loopback (the tests' moto, corrected), and `penstock serve` that deploys to it. `benchmarks.aws` finds both."""

import datetime as dt
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from acceptance_site import Checkout
from serving import Server, serving
from support.cloud import Cloud
from support.functions import archive
from support.keys import REGION

PATIENCE = 120.0  # seconds until something has gone wrong
_BUCKET = "acme-functions"
_LOOK = 0.1  # seconds between two looks at the database

_ENDED = "SELECT id, status, created_at, completed_at FROM deployments WHERE completed_at IS NOT NULL"


class Ended(NamedTuple):
    """A deployment; times in seconds since 1970."""

    id: str
    status: str
    created_at: float
    completed_at: float


class Rig:
    """*aws*: what is deployed to. *config*: of penstock. It all happens below *folder*."""

    def __init__(self, folder: Path, aws: Cloud, config: str) -> None:
        self.folder, self.aws = folder, aws
        self._config, self._state = folder / "penstock.toml", folder / "state"
        self._config.write_text(config)
        self._server: Server | None = None

    @contextmanager
    def serving(self) -> Iterator[None]:
        with serving(self._config, self._state, self.aws.environ) as self._server:
            yield

    def deploy(self, checkout: Checkout) -> list[Ended]:
        """Every deployment of the checkout's commit, once all have ended."""
        made = set(checkout.deploy(self._config, self._state, self.aws.environ))
        limit = time.monotonic() + PATIENCE
        while len(ended := [each for each in self._ended() if each.id in made]) < len(made):
            assert time.monotonic() < limit, self._server and self._server.log
            time.sleep(_LOOK)
        return ended

    def checkout(self, name: str, files: Mapping[str, str]) -> Checkout:
        return Checkout(self.folder / name, files)

    def _ended(self) -> list[Ended]:
        """As an outsider reads it from the database."""
        with closing(sqlite3.connect(f"file:{self._state / 'penstock.db'}?mode=ro", uri=True, timeout=30)) as database:
            rows = database.execute(_ENDED).fetchall()
        return [Ended(id, status, _seconds(created), _seconds(completed)) for id, status, created, completed in rows]


@contextmanager
def rig(folder: Path, name: str, aws: Cloud, config: str = "") -> Iterator[Rig]:
    """One of its own, in an empty folder."""
    (folder / name).mkdir()
    made = Rig(folder / name, aws, config)
    with made.serving():
        yield made


def make_bucket(aws: Cloud) -> None:
    """`acme-functions`, which keeps versions."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=_BUCKET, VersioningConfiguration={"Status": "Enabled"})


def upload(aws: Cloud, key: str, source: str) -> None:
    """A function's code, to that bucket."""
    aws.client("s3").put_object(Bucket=_BUCKET, Key=key, Body=archive(source))


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
