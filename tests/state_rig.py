"""For tests of state in S3 or PostgreSQL: `penstock sync` as real processes, whose requests a test sees, spoils and kills.

rig = Rig(forge, site, proxy)
rig.sync()                      # one run to its end
rig.records()                   # what the hosts say has happened
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
import moto_server
from acceptance_cases import Forge, Site, is_dead, wait_until
from s3_proxy import Proxy

from runner.ports.state_objects import StateObjects
from runner.store.elsewhere.copy import empty, rebuild
from runner.store.elsewhere.log import StateLog

BUCKET = "acme-state"
URL = f"s3://{BUCKET}/shop"
_PATIENCE = 90.0  # seconds


def client(endpoint: str):
    """For S3 itself, past the proxy."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=endpoint, **keys)


class Rig:
    """*objects*: what the state is kept in, as the test itself sees it. *past_a_minute*: as if the lease had run out."""

    def __init__(
        self,
        forge: Forge,
        site: Site,
        url: str,
        environ: Mapping[str, str],
        objects: Callable[[], StateObjects],
    ) -> None:
        self._forge, self.site, self.url, self._environ, self._objects = forge, site, url, dict(environ), objects
        self._copies = 0

    def start(self, *verb: str, name: str = "log") -> int:
        """Returns the process's number; what it says is in the file *name* of the site."""
        environ = {**self._environ, "TMPDIR": str(self.temporary())}
        argv = ["--config", str(self.site.config), "--state", self.url, *(verb or ("sync",))]
        return self._forge.start(argv, self.site.folder, self.site.place / name, environ=environ)

    def wait(self, pid: int) -> int:
        wait_until(lambda: is_dead(pid), "the end of the run", _PATIENCE, self.site.log)
        return self._forge.wait(pid)

    def sync(self, *options: str, name: str = "log") -> int:
        return self.wait(self.start("sync", *options, name=name))

    def said(self, name: str = "log") -> str:
        file = self.site.place / name
        return file.read_text() if file.exists() else ""

    def temporary(self) -> Path:
        """Where the copies of the state are."""
        folder = self.site.place / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def records(self) -> dict[str, list[str]]:
        return self.site.records()

    def outcome(self) -> list[tuple[object, ...]]:
        """As the site tells it, of the state as it is now."""
        self._copies += 1
        self.site.state = self.site.place / f"copy-{self._copies}"
        self.site.state.mkdir()
        objects = self._objects()
        found = StateLog(objects, "the test").read()
        objects.close()
        rebuild(self.site.state, found.base.content if found.base else empty(), found.pieces)
        return self.site.outcome()

    def let_a_minute_pass(self) -> None:
        """The lease of a process that was killed has run out."""
        objects = self._objects()
        objects.remove(["lease"])
        objects.close()


class S3Rig(Rig):
    """With a proxy between, and a bucket that is empty at first."""

    def __init__(self, forge: Forge, site: Site, proxy: Proxy) -> None:
        from runner.store.elsewhere.s3 import S3Objects

        self.proxy = proxy
        proxy.reset()
        client(proxy.target).create_bucket(Bucket=BUCKET)
        environ = moto_server.environment(proxy.url)
        self._before = {name: os.environ.get(name) for name in environ}
        os.environ.update(moto_server.environment(proxy.target))  # for the test's own look at the state
        super().__init__(forge, site, URL, environ, lambda: S3Objects(BUCKET, "shop"))

    def close(self) -> None:
        for name, value in self._before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

    def afresh(self) -> None:
        """New hosts, and no state."""
        self.site.afresh()
        self.proxy.reset()
        client(self.proxy.target).create_bucket(Bucket=BUCKET)

    def at(self, number: int, *, forwarded: bool, do: Callable[[], None]) -> None:
        """*do* it at the request of that number, counted from 1, which then hears nothing; *forwarded*: S3 has done it."""

        def met(asked: str) -> bool:
            if len(self.proxy.asked) != number or not asked:
                return True
            self.proxy.hear_everything()
            do()
            return False

        if forwarded:
            self.proxy.after = met
        else:
            self.proxy.before = met


def stop(pid: int) -> None:
    """Freeze the one process *pid*."""
    if pid <= 1:
        raise ValueError(f"{pid} is not the number of a process that a test may stop")
    os.kill(pid, signal.SIGSTOP)


def go_on(pid: int) -> None:
    if pid <= 1:
        raise ValueError(f"{pid} is not the number of a process that a test may wake")
    os.kill(pid, signal.SIGCONT)
