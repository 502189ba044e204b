"""ansible-core as contender: linear strategy, pipelining, as many forks as hosts, no facts, its usual ssh (ControlPersist).

The fewest and cheapest tasks that do the work: `unarchive` sends the bundle in one piece, where `copy` would go file by
file.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import fleet_peers
from benchmarks.fleet_client import Command
from benchmarks.fleet_hosts import Fleet, SshHost
from benchmarks.fleet_work import DESTINATION, HOOKED, Work


class Ansible:
    name = "ansible"

    def __init__(self, fleet: Fleet, work: Work, place: Path) -> None:
        self._fleet, self._work, self._place = fleet, work, place
        self._program = fleet_peers.environment() / "bin" / "ansible-playbook"
        self._sockets = place / "s"  # their paths must be short
        place.mkdir()
        self._config = place / "ansible.cfg"
        self._config.write_text("[defaults]\nstrategy = linear\n[connection]\npipelining = True\n")
        for name, serial in (("all", "100%"), ("half", "50%")):
            (place / f"{name}.yml").write_text(json.dumps(self._play(serial)))

    def commands(self, hosts: Sequence[SshHost], *, half: bool) -> list[Command]:
        inventory = self._place / f"{len(hosts)}-hosts.json"
        inventory.write_text(json.dumps(self._inventory(hosts)))
        play = self._place / ("half.yml" if half else "all.yml")
        environment = {
            "ANSIBLE_CONFIG": str(self._config),
            "ANSIBLE_HOME": str(self._place / "home"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._sockets),
            "ANSIBLE_FORKS": str(len(hosts)),
        }
        return [Command([str(self._program), "-i", str(inventory), str(play)], environment=environment)]

    def tidy(self) -> None:
        """End the masters that ssh left behind, which would spare the next round its connections."""
        for control in self._sockets.glob("*"):
            command = ["ssh", "-F", "none", "-O", "exit", "-o", f"ControlPath={control}", "nobody"]
            subprocess.run(command, check=False, capture_output=True)
        limit = time.monotonic() + 10
        while any(self._sockets.glob("*")):
            assert time.monotonic() < limit, "masters of ssh are left"
            time.sleep(0.01)

    def _inventory(self, hosts: Sequence[SshHost]) -> dict[str, Any]:
        shared = {
            "ansible_host": "127.0.0.1",
            "ansible_user": self._fleet.user,
            "ansible_ssh_private_key_file": str(self._fleet.identity),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self._fleet.known_hosts}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        each = {host.name: {"ansible_port": host.port, "root": str(host.root)} for host in hosts}
        return {"all": {"vars": shared, "hosts": each}}

    def _play(self, serial: str) -> list[dict[str, Any]]:
        def command(*arguments: str) -> dict[str, Any]:
            return {"ansible.builtin.command": {"argv": arguments, "chdir": "{{ root }}"}}

        scripts = [command(f"revision/hooks/{event}") for event in HOOKED]
        unpack = {"src": str(self._work.bundle), "dest": "{{ root }}/revision"}
        tasks = [
            command("mkdir", "-p", "revision", "srv"),
            {"ansible.builtin.unarchive": unpack},
            *scripts[:2],
            command("cp", "-R", "revision/content", DESTINATION),
            *scripts[2:],
        ]
        return [
            {
                "hosts": "all",
                "gather_facts": False,
                "serial": serial,
                "environment": {"PENSTOCK_ROOT": "{{ root }}"},
                "tasks": tasks,
            }
        ]
