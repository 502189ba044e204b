"""Webhooks of a real `penstock serve`: what it has acknowledged survives kill -9, and what is deployed is what git says.

The repository is polled once an hour only: whatever happens within these tests, a delivery has brought about, or the look
with which a process begins.
"""

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from acceptance_cases import wait_until
from local_git import git
from serving import Server
from webhook_rig import of_github
from webhook_site import Site, deliver, payload, settled


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_push_is_deployed_because_a_webhook_told_of_it(site: Site) -> None:
    with site.serving() as server:
        wait_until(lambda: len(site.deployed()) == 1, "the first deployment")
        pushed = site.commit()
        site.push()
        assert deliver(server, payload(pushed), "d-1") == 202
        wait_until(lambda: site.deployed()[1:] == [pushed], "the deployment of the push")
        wait_until(lambda: settled(site), "the delivery settled")
        state = server.penstock("status")
        assert [(each["id"], each.get("open", 0)) for each in state["deliveries"]] == [("d-1", 0)]


def test_what_is_gone_when_it_is_looked_for_is_no_error(site: Site) -> None:
    with site.serving() as server:
        wait_until(lambda: len(site.deployed()) == 1, "the first deployment")
        site.commit()
        gone = site.push("main")
        git(site.work, "reset", "--quiet", "--hard", "HEAD~1")
        site.push("main")
        git(site.remote, "gc", "--quiet", "--prune=now")
        site.push("feature")
        git(site.remote, "branch", "-D", "feature")
        assert deliver(server, payload(gone), "garbage") == 202
        deleted = json.dumps({"ref": "feature", "ref_type": "branch"}).encode()
        assert deliver(server, deleted, "deleted", "delete") == 202
        assert deliver(server, payload(gone, "refs/heads/unwatched"), "unwatched") == 202
        wait_until(lambda: settled(site), "all deliveries settled")
        assert len(site.deployed()) == 1
        assert server.penstock("status")["changes"] == []


@pytest.mark.parametrize("after", [1, 2, 7, 23, 60])
def test_no_acknowledged_delivery_is_lost_to_kill_9_and_none_is_deployed_twice(site: Site, after: int) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()

    def send(server: Server, sender: int) -> None:
        for number in range(200):
            delivery = f"{sender}-{number}"
            if deliver(server, payload("0" * 40), delivery) != 202:
                return
            acknowledged.append(delivery)
            if len(acknowledged) >= after:
                enough.set()

    with site.serving() as server:
        wait_until(lambda: len(site.deployed()) == 1, "the first deployment")
        pushed = site.commit()
        site.push()
        senders = [threading.Thread(target=send, args=(server, sender)) for sender in range(4)]
        for each in senders:
            each.start()
        assert enough.wait(60)
        server.kill()
        for each in senders:
            each.join()
        kept = {row[0] for row in site.query("SELECT delivery FROM deliveries")}
        assert set(acknowledged) <= kept
        server.start()
        wait_until(lambda: settled(site), "all deliveries settled by the next process")
        for delivery in acknowledged:
            assert deliver(server, payload("0" * 40), delivery) == 202
        wait_until(lambda: len(site.deployed()) == 2, "the deployment")
        assert site.deployed()[1:] == [pushed]
        assert {row[0] for row in site.query("SELECT delivery FROM deliveries")} == kept


class Chaos:
    """A proxy in front of the server that drops, repeats and holds back deliveries, as chance wants it; the sender always
    hears 202.
    """

    def __init__(self, server: Server, chance: random.Random) -> None:
        self._server, self._chance, self._held = server, chance, list[tuple[bytes, str]]()
        self.dropped = self.repeated = self.late = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                proxy.pass_on(body, self.headers["x-github-delivery"])
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def post(self, body: bytes, delivery: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._http.server_port, timeout=30)
        connection.request("POST", "/webhooks/shop", body, of_github(body, "push", delivery))
        assert connection.getresponse().status == 202
        connection.close()

    def pass_on(self, body: bytes, delivery: str) -> None:
        luck = self._chance.random()
        if luck < 0.25:
            self.dropped += 1
        elif luck < 0.45:
            self.late += 1
            self._held.insert(self._chance.randrange(len(self._held) + 1), (body, delivery))
        else:
            again = luck > 0.8
            self.repeated += again
            for _ in range(1 + again):
                assert deliver(self._server, body, delivery) == 202
        if len(self._held) > 3:
            self.release()

    def release(self) -> None:
        """Let what was held back go, in an order that is not the one in which it came."""
        while self._held:
            assert deliver(self._server, *self._held.pop()) == 202

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def polled(tmp_path: Path) -> Site:
    return Site(tmp_path, interval="1s")


@pytest.fixture
def chaos(polled: Site) -> Iterator[Chaos]:
    with polled.serving() as server:
        made = Chaos(server, random.Random(6))
        yield made
        made.close()


def test_hooks_and_polls_in_any_disorder_deploy_what_git_says(polled: Site, chaos: Chaos) -> None:
    chance, heads, must = random.Random(7), [git(polled.work, "rev-parse", "HEAD")], set[str]()
    wait_until(lambda: polled.deployed() == heads, "the first deployment")
    for number in range(25):
        if chance.random() < 0.3:  # history is rewritten, or goes back to where it was
            git(polled.work, "reset", "--quiet", "--hard", chance.choice(heads))
        if chance.random() < 0.85:
            polled.commit()
        heads.append(polled.push())
        chaos.post(payload(heads[-1]), f"d-{number}")
        if chance.random() < 0.25:
            wait_until(lambda: polled.deployed()[-1] == heads[-1], f"push {number} deployed")
            must.add(heads[-1])
        time.sleep(chance.random() / 20)
    chaos.release()
    wait_until(lambda: polled.deployed()[-1] == heads[-1], "the last head deployed")
    wait_until(lambda: settled(polled), "all deliveries settled")
    deployed = polled.deployed()
    assert must | {heads[-1]} <= set(deployed)
    assert _is_in_order(deployed, heads)  # nothing that never was the head, nothing before what was pushed before it
    assert all(one != other for one, other in itertools.pairwise(deployed))
    assert min(chaos.dropped, chaos.repeated, chaos.late) > 0


def test_pushes_that_are_waited_for_are_deployed_one_for_one(polled: Site, chaos: Chaos) -> None:
    chance, work = random.Random(8), polled.work
    git(polled.remote, "config", "core.logAllRefUpdates", "true")
    first = git(work, "rev-parse", "HEAD")
    wait_until(lambda: polled.deployed() == [first], "the first deployment")
    for number in range(10):
        if number % 3 == 1:
            git(work, "reset", "--quiet", "--hard", first)
        polled.commit()
        head = polled.push()
        chaos.post(payload(head), f"d-{number}")
        wait_until(lambda head=head: polled.deployed()[-1] == head, f"push {number} deployed")  # type: ignore[misc]
        if chance.random() < 0.3:
            chaos.release()  # what tells of pushes that are deployed already
    chaos.release()
    wait_until(lambda: settled(polled), "all deliveries settled")
    gits = git(polled.remote, "reflog", "--format=%H", "refs/heads/main").splitlines()
    assert polled.deployed() == [first, *reversed(gits)]
    assert len(gits) == 10
    assert min(chaos.dropped, chaos.repeated, chaos.late) > 0


def _is_in_order(some: list[str], all_of_them: list[str]) -> bool:
    rest = iter(all_of_them)
    return all(each in rest for each in some)
