"""pyinfra as contender, in two ways: its own, where `files.sync` compares and sends a folder file by file; and the one that
costs it least, where `files.put` sends a tar file that a shell command unpacks.

Then comes one `server.shell` per step. It knows no batches, so half at a time is two runs.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import fleet_peers
from benchmarks.fleet_client import Command
from benchmarks.fleet_hosts import Fleet, SshHost
from benchmarks.fleet_work import DESTINATION, HOOKED, Work, batches

DEPLOY = """from pyinfra import host
from pyinfra.operations import files, server

root = host.data.root
{sent}
for step in {steps!r}:
    server.shell(commands=[f"cd {{root}} && {{step}}"], _env={{"PENSTOCK_ROOT": root}})
"""
SYNC = 'files.sync(src="{work.source}", dest=f"{{root}}/revision")'
PUT = 'files.put(src="{work.bundle}", dest=f"{{root}}/bundle.tar")'


class Pyinfra:
    """*sync*: its own way, else the one that costs it least."""

    def __init__(self, fleet: Fleet, work: Work, place: Path, *, sync: bool) -> None:
        self._fleet, self._place = fleet, place
        self._program = fleet_peers.environment() / "bin" / "pyinfra"
        place.mkdir()
        scripts = [f"revision/hooks/{event}" for event in HOOKED]
        unpack = [] if sync else ["mkdir -p revision && tar -x -f bundle.tar -C revision"]
        steps = [*unpack, *scripts[:2], f"mkdir -p srv && cp -R revision/content {DESTINATION}", *scripts[2:]]
        self._deploy = place / "deploy.py"
        self._deploy.write_text(DEPLOY.format(sent=(SYNC if sync else PUT).format(work=work), steps=steps))

    def commands(self, hosts: Sequence[SshHost], *, half: bool) -> list[Command]:
        commands = []
        for number, batch in enumerate(batches(hosts, half=half)):
            inventory = self._place / f"inventory_{len(hosts)}_{len(batch)}_{number}.py"
            inventory.write_text(f"hosts = {[(host.name, self._data(host)) for host in batch]!r}\n")
            options = ["-y", "--parallel", str(len(batch))]
            commands.append(Command([str(self._program), *options, str(inventory), str(self._deploy)]))
        return commands

    def tidy(self) -> None:
        """Nothing is left behind."""

    def _data(self, host: SshHost) -> dict[str, str | int]:
        return {
            "root": str(host.root),
            "ssh_hostname": "127.0.0.1",
            "ssh_port": host.port,
            "ssh_user": self._fleet.user,
            "ssh_key": str(self._fleet.identity),
            "ssh_known_hosts_file": str(self._fleet.known_hosts),
            "ssh_strict_host_key_checking": "yes",
        }
