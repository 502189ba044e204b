"""A whole Penstock behind its wire API, in this process: a real socket, store and driver, real hosts, S3 by moto.

    with WireWorld(folder, moto) as world:
        group = world.group("shop", "ten", config="CodeDeployDefault.OneAtATime")
        made = world.deploy(group, world.bundle({"ValidateService": fails_on("h03")}))
        assert world.ended(made)["status"] == "Failed"

Hosts are folders of this machine, `h01` to `h10`; `dead` is an SSH host that does not answer. Each has the tags that say of
which sets it is: `ten`, `nine`, `five`, `two`, `one` (counted from `h01`) and `powerless` (`h01` and `dead`). Scripts find
the host's name in `$NAME`.
"""

import asyncio
import datetime as dt
import io
import itertools
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import boto3
import moto_server
from api_rig import Rig
from fakes.traffic_platform import FakeTrafficPlatform
from gitserver import Origin

from runner.api.codedeploy import catalog, deployments
from runner.api.codedeploy.arns import Arns
from runner.config import RepositoryConfig
from runner.execute.driver import Driver
from runner.execute.prepare import prepare
from runner.model.executor import ExecutorSettings
from runner.model.target import Host, Ssh
from runner.plan.lifecycle import server_in_place
from runner.platforms.server.platform import ServerPlatform
from runner.service import Service
from runner.sources.all import AllSources
from runner.store.logs import LogFiles
from runner.store.store import Store

SETS = {"ten": 10, "nine": 9, "five": 5, "two": 2, "one": 1}
BUCKET = "releases"
ROLE = "arn:aws:iam::000000000000:role/deploys"
_QUICK = dt.timedelta(seconds=0.3)
_ENDED = ("Succeeded", "Failed", "Stopped")


class Group(NamedTuple):
    """As the API names it, for `**group._asdict()`."""

    applicationName: str
    deploymentGroupName: str


class WireWorld:
    """See above. *moto*: URL of a server for S3. `origin` is a git repository that stands for `acme/shop` on GitHub."""

    def __init__(self, folder: Path, moto: str) -> None:
        self.folder = folder
        self.hosts = (*_local_hosts(folder), _powerless())
        self.store = Store(folder / "state", server_in_place())
        self.origin = Origin(folder / "origin")
        mirror = RepositoryConfig(name="shop", url=str(self.origin.path), github="acme/shop")
        self._sources = AllSources([mirror], folder / "state")
        self._numbers = itertools.count(1)
        self._wanted, self._environment = moto_server.environment(moto), dict[str, str | None]()
        service = Service(self.store, lambda: self.hosts, now)
        arns = Arns("us-east-1", "000000000000")
        operations = {
            **catalog.operations(self.store.catalog, lambda: self.hosts, arns),
            **deployments.operations(service, self.store.wire, self.store.catalog, arns, self.store.hooks),
        }
        self.rig = Rig(operations, answers=self.store.answers)
        self._driving = threading.Thread(target=lambda: asyncio.run(self._drive()), name="driver", daemon=True)
        self._began = threading.Event()

    def __enter__(self) -> Self:
        self._environment = {name: os.environ.get(name) for name in self._wanted}
        os.environ.update(self._wanted)
        self.s3 = boto3.Session().client("s3", endpoint_url=self._wanted["AWS_ENDPOINT_URL"])
        self.s3.create_bucket(Bucket=BUCKET)
        self.rig.__enter__()
        self._driving.start()
        assert self._began.wait(20)
        self.client = self.rig.client()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._driver.drain)
        self._driving.join(60)
        self.rig.__exit__()
        self.store.close()
        for name, value in self._environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        assert not self._driving.is_alive()

    async def _drive(self) -> None:
        settings = ExecutorSettings(term_grace=_QUICK, drain_grace=_QUICK)
        platform = ServerPlatform(retry_for=dt.timedelta(seconds=1), settings=settings, packs=self.folder / "packs")
        logs = LogFiles(self.folder / "state" / "logs")
        self._loop = asyncio.get_running_loop()
        self._driver = Driver(
            self.store,
            platform,
            FakeTrafficPlatform(),
            lambda action: prepare(action.deployment, self._sources, lambda: self.hosts, lambda hosts, where: None),
            logs,
            now,
        )
        self._began.set()
        await self._driver.run()

    # What people do.

    def group(self, name: str, hosts: str, *, config: str = "CodeDeployDefault.AllAtOnce", **settings: Any) -> Group:
        """A new application *name* with one deployment group of the set *hosts*."""
        self.client.create_application(applicationName=name)
        settings = {
            "onPremisesInstanceTagFilters": [{"Key": hosts, "Type": "KEY_ONLY"}],
            "deploymentConfigName": config,
            "serviceRoleArn": ROLE,
            **settings,
        }
        self.client.create_deployment_group(applicationName=name, deploymentGroupName="prod", **settings)
        return Group(name, "prod")

    def config(self, kind: str, value: int) -> str:
        """A deployment configuration with that minimum of healthy hosts; its name."""
        name = f"{kind}-{value}-{next(self._numbers)}"
        self.client.create_deployment_config(
            deploymentConfigName=name, minimumHealthyHosts={"type": kind, "value": value}
        )
        return name

    def bundle(
        self, hooks: Mapping[str, str] | None = None, *, key: str | None = None, files: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Upload a bundle whose *hooks* (lifecycle event to shell script) run; its revision location, pinned by ETag."""
        name = key or f"bundle-{next(self._numbers)}.tgz"
        content = _tgz({**bundle_of(hooks or {}), **(files or {})})
        etag = self.s3.put_object(Bucket=BUCKET, Key=name, Body=content)["ETag"]
        return {
            "revisionType": "S3",
            "s3Location": {"bucket": BUCKET, "key": name, "bundleType": "tgz", "eTag": etag.strip('"')},
        }

    def deploy(self, group: Group, revision: dict[str, Any], **options: Any) -> str:
        """The ID of a new deployment."""
        made = self.client.create_deployment(**group._asdict(), revision=revision, **options)
        return str(made["deploymentId"])

    def get(self, deployment_id: str) -> dict[str, Any]:
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def ended(self, deployment_id: str) -> dict[str, Any]:
        """The deployment, once it has ended."""
        self.until(lambda: self.get(deployment_id)["status"] in _ENDED)
        return self.get(deployment_id)

    def deployed(self, group: Group, revision: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """A deployment, once it has ended."""
        return self.ended(self.deploy(group, revision or self.bundle(), **options))

    def targets(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        """By name, in deployment order."""
        ids = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        found = self.client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)
        return {each["instanceTarget"]["targetId"]: each["instanceTarget"] for each in found["deploymentTargets"]}

    def events(self, deployment_id: str, target: str) -> dict[str, dict[str, Any]]:
        """Lifecycle events of one target, by name, in order."""
        return {each["lifecycleEventName"]: each for each in self.targets(deployment_id)[target]["lifecycleEvents"]}

    def log(self, deployment_id: str, target: str) -> str:
        """What its scripts wrote."""
        return LogFiles(self.folder / "state" / "logs").read(deployment_id, target)

    def until(self, condition: Callable[[], bool], within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"waited {within:g} s in vain"
            time.sleep(0.02)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def fails_on(*hosts: str, first: str = "") -> str:
    """A script that fails on these hosts. *first*: what it does before, on all of them."""
    return f'{first}\ncase "$NAME" in {"|".join(hosts)}) echo "$NAME cannot"; exit 3;; esac\n'


def held_by(gate: Path) -> str:
    """A script that goes on once the file *gate* is there, and gives up after 30 s."""
    return f'n=0; while [ ! -e "{gate}" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n+1)); done; [ -e "{gate}" ]\n'


def counts(deployment: Mapping[str, Any]) -> tuple[int, int, int]:
    """Targets that succeeded, failed, were skipped."""
    overview = deployment["deploymentOverview"]
    return overview["Succeeded"], overview["Failed"], overview["Skipped"]


def bundle_of(hooks: Mapping[str, str], spec: str = "appspec.yml") -> dict[str, str]:
    """The files of a bundle whose AppSpec is in *spec*."""
    lines = ["version: 0.0", "os: linux", *(["hooks:"] if hooks else [])]
    for event in hooks:
        lines += [f"  {event}:", f"    - location: {event}.sh", "      timeout: 60"]
    scripts = {f"{event}.sh": f"#!/bin/sh\n{script}" for event, script in hooks.items()}
    return {spec: "\n".join(lines) + "\n", **scripts}


def _tgz(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            raw = content.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(raw), 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(member, io.BytesIO(raw))
    return out.getvalue()


def _local_hosts(folder: Path) -> Iterable[Host]:
    for number in range(1, 11):
        name = f"h{number:02}"
        tags = {each: "yes" for each, size in SETS.items() if number <= size}
        if number == 1:
            tags["powerless"] = "yes"
        (folder / name).mkdir()
        yield Host(name=name, folder=str(folder / name), tags=tags, environment={"NAME": name})


def _powerless() -> Host:
    """Port 9 of this machine, where nobody listens."""
    return Host(
        name="dead", transport="ssh", ssh=Ssh(address="127.0.0.1", port=9, user="nobody"), tags={"powerless": "yes"}
    )
