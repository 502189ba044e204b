"""Who takes part, and what each of them runs."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.fleet_ansible import Ansible
from benchmarks.fleet_client import Command
from benchmarks.fleet_hosts import Fleet, SshHost
from benchmarks.fleet_penstock import Penstock
from benchmarks.fleet_pyinfra import Pyinfra
from benchmarks.fleet_work import HOOKED, Work, batches, shell_command

PEERS = ("local", "floor", "penstock", "ansible", "pyinfra", "pyinfra-tar")
SLOW = ("ansible", "pyinfra", "pyinfra-tar")
LOCAL, FLOOR = "the work alone, without SSH", "floor: libssh2"
FIRST, NEXT = "penstock, first rollout", "penstock, next rollout"
FIRST_PART, NEXT_PART = (f"  {rollout}, created to completed" for rollout in ("first", "next"))
ANSIBLE, PYINFRA, PYINFRA_TAR = "ansible-core", "pyinfra (files.sync)", "pyinfra (one tar file)"


class Rollout(NamedTuple):
    """One measurement of *row*. *fresh*: to hosts that have nothing yet. *scripts*: those that will have run.

    *part*: a row of its own, and how many seconds of this rollout it tells; None where there is nothing of the kind.
    """

    row: str
    commands: Sequence[Command]
    work: Work
    fresh: bool = True
    scripts: Sequence[str] = HOOKED
    part: tuple[str, Callable[[], float]] | None = None
    tidy: Callable[[], None] = lambda: None


class Contenders:
    """Those of *peers* that are asked for; each keeps its files below *place*."""

    def __init__(self, peers: Sequence[str], fleet: Fleet, place: Path) -> None:
        self._fleet, self._work = fleet, Work(place / "work")
        self._penstock = Penstock(fleet, place / "penstock")
        self._tools: dict[str, tuple[str, Ansible | Pyinfra]] = {}
        if "ansible" in peers:
            self._tools["ansible"] = ANSIBLE, Ansible(fleet, self._work, place / "ansible")
        if "pyinfra" in peers:
            self._tools["pyinfra"] = PYINFRA, Pyinfra(fleet, self._work, place / "pyinfra", sync=True)
        if "pyinfra-tar" in peers:
            tool = Pyinfra(fleet, self._work, place / "pyinfra-tar", sync=False)
            self._tools["pyinfra-tar"] = PYINFRA_TAR, tool

    def rollouts(self, peers: Sequence[str], hosts: Sequence[SshHost], *, half: bool) -> Iterator[Rollout]:
        """What each of *peers* does to *hosts*. One rollout must be over before the next is asked for."""
        for peer in peers:
            match peer:
                case "local":
                    yield Rollout(LOCAL, [self._local(hosts, half)], self._work)
                case "floor":
                    yield Rollout(FLOOR, [self._floor(hosts, half)], self._work)
                case "penstock":
                    yield from self._ours(hosts, half)
                case _:
                    row, tool = self._tools[peer]
                    yield Rollout(row, tool.commands(hosts, half=half), self._work, tidy=tool.tidy)

    def _ours(self, hosts: Sequence[SshHost], half: bool) -> Iterator[Rollout]:
        ours = self._penstock
        first = ours.commands(hosts, half=half, first=True)
        # There is no revision yet whose ApplicationStop could run.
        yield Rollout(FIRST, first, ours.work, scripts=HOOKED[1:], part=(FIRST_PART, ours.recorded))
        following = ours.commands(hosts, half=half, first=False)
        yield Rollout(NEXT, following, ours.work, fresh=False, part=(NEXT_PART, ours.recorded))

    def _local(self, hosts: Sequence[SshHost], half: bool) -> Command:
        commands = [[shell_command(host.root) for host in batch] for batch in batches(hosts, half=half)]
        return _program("fleet_local.py", {"bundle": str(self._work.bundle), "batches": commands})

    def _floor(self, hosts: Sequence[SshHost], half: bool) -> Command:
        commands = [[(host.port, shell_command(host.root)) for host in batch] for batch in batches(hosts, half=half)]
        login = {"user": self._fleet.user, "identity": str(self._fleet.identity)}
        return _program("fleet_floor.py", {**login, "bundle": str(self._work.bundle), "batches": commands})


def _program(name: str, order: object) -> Command:
    return Command([sys.executable, "-I", str(Path(__file__).with_name(name))], stdin=json.dumps(order))
