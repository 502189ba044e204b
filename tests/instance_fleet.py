"""EC2 instances with a web application on each, behind an application load balancer, and a Penstock that deploys to them.

    with instance_fleet(tmp_path, aws, zones=(0, 1, 2)) as fleet:
        made = fleet.deploy(fleet.group(loadBalancerInfo={"targetGroupInfoList": [{"name": "web"}]}), "two")
        fleet.ended(made)

Each instance is a folder of this machine, by `instance` in the configuration; its application listens on a port of its own.
"""

import contextlib
import io
import os
import signal
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from acceptance_cases import wait_until
from haproxy import free_port
from serving import Server, serving
from support.cloud import Cloud
from support.ec2_world import Ec2World
from support.functions import role
from traffic_shapes import ROLE
from web_application import APPLICATION, START, STOP
from wire.served import CONFIG, ServedAws

BUCKET = "releases"
IN_TURN = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
_APPSPEC = """version: 0.0
os: linux
file_exists_behavior: OVERWRITE
files:
  - {source: srv, destination: /srv}
hooks:
  ApplicationStop: [{location: stop.sh, timeout: 20}]
  ApplicationStart: [{location: start.sh, timeout: 20}]
"""


class Fleet:
    """*instances*: their IDs, each with the tag app=web; *folders*: what stands for the `/` of each."""

    def __init__(self, folder: Path, aws: Cloud, zones: Sequence[int], config: str = "") -> None:
        self.world, self.aws = Ec2World(aws), aws
        self.instances = [self.world.instance(zone=zone, app="web") for zone in zones]
        self.zones = {name: self.world.zones[zone] for name, zone in zip(self.instances, zones, strict=True)}
        self.folders = {name: folder / "hosts" / name for name in self.instances}
        for name in self.instances:
            self.folders[name].mkdir(parents=True)
        self.config = folder / "penstock.toml"
        hosts = "".join(self._host(number, name) for number, name in enumerate(self.instances))
        self.config.write_text(CONFIG + config + hosts)
        self._bring_up_aws()

    def _host(self, number: int, name: str) -> str:
        port = free_port()
        self.world.place(name, "127.0.0.1", port)
        return (
            f'[hosts.web-{number}]\nfolder = "{self.folders[name]}"\ninstance = "{name}"\n'
            f'environment = {{PORT = "{port}", PYTHON = "{sys.executable}"}}\n'
        )

    def _bring_up_aws(self) -> None:
        role(self.aws, "deploys")
        self.target_group = self.world.target_group("web")
        self.listener = self.world.listener(self.target_group)
        self.aws.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def serve(self, server: Server) -> None:
        self.served = ServedAws(server, self.aws)
        self.client = self.served.client
        self.client.create_application(applicationName="shop", computePlatform="Server")

    def group(self, config: str = "CodeDeployDefault.OneAtATime", **settings: Any) -> dict[str, str]:
        """A deployment group of the instances by their tag, unless *settings* say otherwise."""
        place = {"applicationName": "shop", "deploymentGroupName": "live"}
        tags = {"ec2TagFilters": [{"Key": "app", "Value": "web", "Type": "KEY_AND_VALUE"}]}
        given = {"serviceRoleArn": ROLE, **tags, **settings}
        if "loadBalancerInfo" in given:
            given["deploymentStyle"] = IN_TURN
        self.client.create_deployment_group(**place, deploymentConfigName=config, **given)
        return place

    def deploy(self, place: dict[str, str], version: str) -> str:
        revision = {"bucket": BUCKET, "key": self.upload(version), "bundleType": "zip"}
        made = self.client.create_deployment(**place, revision={"revisionType": "S3", "s3Location": revision})
        return str(made["deploymentId"])

    def upload(self, version: str) -> str:
        """Its key."""
        files = {"appspec.yml": _APPSPEC, "stop.sh": STOP, "start.sh": START}
        files |= {"srv/app.py": APPLICATION, "srv/version": version}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, text in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
                archive.writestr(info, text)
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{version}.zip", Body=out.getvalue())
        return f"{version}.zip"

    def ended(self, deployment_id: str, status: str = "Succeeded") -> dict[str, Any]:
        return self.served.until_status(deployment_id, status)

    def targets(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        """By the ID of its instance."""
        names = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        told = self.client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=names)
        found = {each["instanceTarget"]["targetId"]: each["instanceTarget"] for each in told["deploymentTargets"]}
        known = {f"web-{number}": name for number, name in enumerate(self.instances)}
        return {known.get(name, name): target for name, target in found.items()}

    def close(self) -> None:
        """The applications end."""
        for folder in self.folders.values():
            pid = folder / "app.pid"
            if pid.exists() and (text := pid.read_text()).isdecimal() and int(text) > 1:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(text), signal.SIGKILL)

    def until(self, condition: Any, what: str) -> None:
        wait_until(condition, what)


@contextlib.contextmanager
def instance_fleet(folder: Path, aws: Cloud, zones: Sequence[int] = (0, 1, 2), config: str = "") -> Iterator[Fleet]:
    """*zones*: in which zone each instance is. *config*: what the configuration says beside that."""
    fleet = Fleet(folder, aws, zones, config)
    try:
        with serving(fleet.config, folder / "state", aws.environ) as server:
            fleet.serve(server)
            yield fleet
    finally:
        fleet.close()
