"""A manifest whose targets are in EC2: planned and deployed by the command line, over SSH to an address that EC2 tells."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_site import Checkout
from sshd import PYTHON, Sshd, sshd
from support.cloud import Cloud
from support.ec2_world import Ec2World

ADDRESS = "127.0.0.10"
FILES = {
    "penstock.yaml": """penstock: v1
application: shop
platform: Server
aws: {region: eu-west-1}
deployment_groups:
  live:
    targets: {ec2: {tags: {app: web}}}
""",
    "appspec.yml": "version: 0.0\nos: linux\nfiles: [{source: index.html, destination: /srv}]\n",
    "index.html": "hello",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd", address=ADDRESS) as running:
        yield running


def test_a_commit_is_planned_for_and_reaches_the_instances_of_that_moment(
    tmp_path: Path, aws: Cloud, server: Sshd
) -> None:
    world = Ec2World(aws)
    checkout = Checkout(tmp_path / "shop", FILES)
    (tmp_path / "penstock.toml").write_text(
        f'[instances]\nuser = "{server.user}"\nport = {server.port}\nidentity_file = "{server.user_key}"\n'
        f'known_hosts = "{server.known_hosts}"\npython = "{PYTHON}"\nfolder = "{server.root}"\nlinger = "0s"\n'
    )

    program = [sys.executable, "-m", "runner", "--config", str(tmp_path / "penstock.toml")]
    program += ["--state", str(tmp_path / "state")]

    def penstock(*verb: str) -> tuple[int, str]:
        done = subprocess.run(
            [*program, *verb],
            cwd=checkout.folder,
            env={**os.environ, **aws.environ},
            capture_output=True,
            text=True,
            timeout=90,
        )
        return done.returncode, done.stdout + done.stderr

    status, said = penstock("plan")
    assert status != 0 and "no EC2 instance in eu-west-1 by app=web" in said
    vpc = world.ec2.create_vpc(CidrBlock="127.0.0.0/16")["Vpc"]["VpcId"]
    subnet = world.ec2.create_subnet(VpcId=vpc, CidrBlock="127.0.0.0/24")["Subnet"]["SubnetId"]
    name = world.instance(subnet=subnet, address=ADDRESS, app="web")
    status, said = penstock("plan")
    assert status == 0 and name in said, said
    status, said = penstock("deploy")
    assert status == 0 and name in said, said
    assert (server.root / "srv" / "index.html").read_text() == "hello"
    status, said = penstock("status")
    assert status == 0, said
