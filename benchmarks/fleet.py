"""`python -m benchmarks.fleet`: real hosts behind SSH, Penstock beside its floor, ansible-core and pyinfra.

Every host is an sshd of its own on loopback. To each go ten files (200 KB in all), and five scripts of 10 ms run there.
What is printed is ready for docs/performance.md.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import fleet_peers, machine
from benchmarks.fleet_client import Client
from benchmarks.fleet_contenders import PEERS, SLOW, Contenders, Rollout
from benchmarks.fleet_hosts import Fleet, wipe
from benchmarks.fleet_table import Figures, Measured, Setting
from benchmarks.site import folder

BATCHES = ("all", "half")


def main() -> int:
    given = _parser().parse_args()
    print(machine.described(), flush=True)
    if set(given.peers) & set(SLOW):
        print(f"Peers: {fleet_peers.versions()}", flush=True)
    figures = Figures()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending the hosts
    try:
        _measure(given, figures)
    finally:
        print(f"\n{figures}", flush=True)  # of whatever there was time for
    return 0


def _measure(given: argparse.Namespace, figures: Figures) -> None:
    with folder() as place, Fleet(place / "f", max(given.hosts)).running() as fleet:
        bench = Bench(fleet, Contenders(given.peers, fleet, place), Client(place / "client"))
        settings = [Setting(hosts, batches) for hosts in given.hosts for batches in given.batches]
        for number in range(max(given.rounds, given.slow_rounds)):
            now = [peer for peer in given.peers if number < (given.slow_rounds if peer in SLOW else given.rounds)]
            for setting in settings:
                for row, measured in bench.round(setting, now):
                    figures.add(setting, row, number, measured)
                    print(f"round {number + 1}, {setting}, {row}: {measured}", file=sys.stderr, flush=True)


class Bench:
    """Rollouts to the first hosts of *fleet*, one after the other."""

    def __init__(self, fleet: Fleet, contenders: Contenders, client: Client) -> None:
        self._fleet, self._contenders, self._client = fleet, contenders, client

    def round(self, setting: Setting, peers: Sequence[str]) -> Iterator[tuple[str, Measured]]:
        """Each of *peers* once; ours counts for several rows."""
        hosts = self._fleet.hosts[: setting.hosts]
        for rollout in self._contenders.rollouts(peers, hosts, half=setting.batches == "half"):
            if rollout.fresh:
                wipe(hosts)
            try:
                measured = self._measure(rollout, setting.hosts)
            finally:
                rollout.tidy()
            yield rollout.row, measured
            if rollout.part:
                row, seconds = rollout.part
                yield row, Measured(seconds(), None, None)

    def _measure(self, rollout: Rollout, count: int) -> Measured:
        hosts = self._fleet.hosts[:count]
        for host in hosts:
            (host.root / "record").unlink(missing_ok=True)
        before = self._fleet.cpu(hosts)
        sample = self._client.carry_out(rollout.commands)
        after = self._fleet.cpu_at_rest(hosts)
        rollout.work.check(hosts, rollout.scripts)
        on_hosts = None if before is None or after is None else (after - before) / count
        return Measured(sample.wall, (sample.cpu or 0) / count, on_hosts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--hosts", type=_numbers, default=[10, 50], metavar="N,...", help="how many (default: 10,50)")
    parser.add_argument("--batches", type=_some_of(BATCHES), default=BATCHES, metavar="B,...", help=", ".join(BATCHES))
    parser.add_argument("--peers", type=_some_of(PEERS), default=PEERS, metavar="P,...", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=5, help="of the quick ones (default: 5)")
    parser.add_argument("--slow-rounds", type=int, default=2, help=f"of {' and '.join(SLOW)} (default: 2)")
    return parser


def _numbers(text: str) -> list[int]:
    numbers = sorted(int(each) for each in text.split(","))
    if numbers[0] < 2:
        raise argparse.ArgumentTypeError("at least 2 hosts, for there are two batches")
    return numbers


def _some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def chosen(text: str) -> list[str]:
        asked = text.split(",")
        if unknown := set(asked) - set(known):
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return [each for each in known if each in asked]

    return chosen


if __name__ == "__main__":
    sys.exit(main())
