"""An instance that was found in EC2 is reached: by its private address, with what `[instances]` says, over real SSH."""

from pathlib import Path

from host_cases import appspec, commands, job, tgz
from sshd import PYTHON, sshd
from support.cloud import Cloud
from support.ec2_world import Ec2World

from runner import config
from runner.aws import Aws
from runner.inventory.ec2 import Ec2Instances
from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.tags import TagFilter
from runner.platforms.server.platform import ServerPlatform

CONFIG = """[instances]
user = "{user}"
port = {port}
identity_file = "{key}"
known_hosts = "{known_hosts}"
python = "{python}"
folder = "{root}"
linger = "0s"
"""


async def test_a_deployment_reaches_an_instance_over_ssh(tmp_path: Path, aws: Cloud) -> None:
    world, address = Ec2World(aws), "127.0.0.10"
    vpc = world.ec2.create_vpc(CidrBlock="127.0.0.0/16")["Vpc"]["VpcId"]
    subnet = world.ec2.create_subnet(VpcId=vpc, CidrBlock="127.0.0.0/24")["Subnet"]["SubnetId"]
    name = world.instance(subnet=subnet, address=address, app="web")
    with sshd(tmp_path / "sshd", address=address) as server:
        text = CONFIG.format(
            user=server.user,
            port=server.port,
            key=server.user_key,
            known_hosts=server.known_hosts,
            python=PYTHON,
            root=server.root,
        )
        (tmp_path / "penstock.toml").write_text(text)
        wanted = Ec2Targets(tag_set=((TagFilter(key="app", value="web"),),))
        instances = Ec2Instances(Aws(), config.load(tmp_path / "penstock.toml", {}).instances)
        (host,) = instances.found(AwsPlace(region="eu-west-1"), wanted)
        assert (host.name, host.ssh and host.ssh.address) == (name, address)
        wanted_job = job(tgz(tmp_path / "b.tgz", {"index.html": "hello"}), appspec({"index.html": "/srv"}))
        platform = ServerPlatform()
        try:
            for command in commands(wanted_job, host):
                outcome = await platform.run(command, lambda text: None)
                assert outcome.succeeded, outcome
        finally:
            await platform.close()
        assert (server.root / "srv" / "index.html").read_text() == "hello"
