"""A rollout to 100 local hosts at once, five scripts each, against the same scripts as plain processes."""

import os
import resource
import shutil
import time
from pathlib import Path

from benchmarks.cpu import Counted
from benchmarks.measure import Sample, Table, Take, in_turns
from benchmarks.site import Site, folder

RUNS = 7
HOOKED = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
LIFECYCLE_EVENTS = 7  # those with scripts, DownloadBundle and Install
HOOK = """#!/bin/sh
echo "$LIFECYCLE_EVENT $BUNDLE_COMMIT" >> "$PENSTOCK_ROOT/record"
"""
SCRIPTS, FLOOR, CASE = "the scripts alone", "scripts and files", "penstock serve"


def measure(runs: int, *, small: bool = False) -> Table:
    with folder() as place:
        site = Site(place, hosts=4 if small else 100, hook=HOOK, hooked=HOOKED)
        floor = Floor(site, place / "floor")
        with site.served() as server:
            takes: list[Take] = [
                lambda: {SCRIPTS: floor.take(install=False)},
                lambda: {FLOOR: floor.take(install=True)},
                lambda: {CASE: _rolled_out(site, server)},
            ]
            rows = in_turns(takes, runs)
    hosts = len(site.hosts)
    return Table(
        title="rollout_100",
        about=f"{hosts} local hosts, CodeDeployDefault.AllAtOnce, 5 scripts of one `echo` each, ten files of 20 KB; "
        "from the creation of the deployment to its completion. The floor is one process that starts the same scripts "
        "by posix_spawn, all hosts side by side, each script as soon as the host's last has ended, output straight "
        "into a file per host; in between it copies the revision to the host (shutil.copytree), and its files from "
        "there to where they belong. Each row is compared with the one above it.",
        rows=rows,
        floors={FLOOR: SCRIPTS, CASE: FLOOR},
        counts={
            "hosts/s": dict.fromkeys((SCRIPTS, FLOOR, CASE), hosts),
            "scripts/s": dict.fromkeys((SCRIPTS, FLOOR, CASE), hosts * len(HOOKED)),
            "events/s": {CASE: hosts * LIFECYCLE_EVENTS},
        },
    )


def _rolled_out(site: Site, server: Counted) -> Sample:
    before = server.cpu()
    deployment = site.await_end(site.repository.commit())
    time.sleep(0.2)  # for the last processes to end, and be counted
    after = server.cpu()
    cpu = None if before is None or after is None else after - before
    return Sample(deployment["completed_at"] - deployment["created_at"], cpu)


class Floor:
    """The least that a rollout takes: its scripts, in each host's order, and its files."""

    def __init__(self, site: Site, place: Path) -> None:
        self._source = site.repository.folder
        self._hosts = [place / host.name for host in site.hosts]
        for host in self._hosts:
            host.mkdir(parents=True)

    def take(self, *, install: bool) -> Sample:
        """One rollout; afterwards the hosts are as they were before."""
        began, before = time.perf_counter(), _used()
        running = {self._start(host, 0): (host, 0) for host in self._hosts}
        while running:
            pid, status = os.wait()
            if pid not in running:  # `penstock serve`, which ended: its own trouble, seen later
                continue
            assert status == 0
            host, number = running.pop(pid)
            if install and HOOKED[number] == "ApplicationStop":
                self._copy_revision(host)
            if install and HOOKED[number] == "BeforeInstall":
                shutil.copytree(host / "revision" / "content", host / "srv" / "shop")
            if number + 1 < len(HOOKED):
                running[self._start(host, number + 1)] = (host, number + 1)
        sample = Sample(time.perf_counter() - began, _used() - before)
        for host in self._hosts:
            shutil.rmtree(host)
            host.mkdir()
        return sample

    def _copy_revision(self, host: Path) -> None:
        shutil.copytree(self._source, host / "revision", ignore=shutil.ignore_patterns(".git"))

    def _start(self, host: Path, number: int) -> int:
        environment = {
            "PATH": os.environ["PATH"],
            "PENSTOCK_ROOT": str(host),
            "LIFECYCLE_EVENT": HOOKED[number],
            "BUNDLE_COMMIT": "0" * 40,
        }
        log = (os.POSIX_SPAWN_OPEN, 1, str(host / "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        script = str(self._source / "hook.sh")
        return os.posix_spawn(script, [script], environment, file_actions=[log, (os.POSIX_SPAWN_DUP2, 1, 2)])


def _used() -> float:
    """CPU seconds of this process and of its children that have been waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
