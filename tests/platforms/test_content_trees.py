"""A bundle sent by content makes the same tree, or the same failure, as its archive unpacked on the spot."""

import gzip
import io
import os
import random
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from archives import entry, folder, hard_link, link, tar, tgz_of, zip_of
from content_cases import Receiver, archived, tree

from runner.model.revision import Bundle

Hosts = tuple[Receiver, Receiver]


@pytest.fixture
async def hosts(tmp_path: Path) -> AsyncIterator[Hosts]:
    made = Receiver(tmp_path, by_content=False), Receiver(tmp_path)
    yield made
    for each in made:
        await each.close()


def dressed(item: tuple[tarfile.TarInfo, bytes], **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    for name, value in attributes.items():
        setattr(item[0], name, value)
    return item


SAME = b"the same in many places" * 50
STRANGE = ["caf\udce9", "\udcff\udcfe/\udc80", "日本語", "emoji 📿", "new\nline", "back\\slash", " ", "'\""]

BUNDLES = {
    "empty.tgz": tgz_of({}),
    "plain.tar": tar(entry("appspec.yml", b"x"), entry("empty"), entry("sub/deep/er/file", b"y")),
    "compressed.tar": gzip.compress(tar(entry("a", b"x" * 100_000)), mtime=0),
    "wrapped.tgz": tgz_of({"shop-1.0/appspec.yml": b"x", "shop-1.0/web/index.html": b"hello"}),
    "not-wrapped.tgz": tgz_of({"shop-1.0/web/index.html": b"hello"}),
    "same.tgz": tgz_of({f"{number % 3}/{number}": SAME for number in range(20)}),
    "twice.tar": tar(entry("a", b"first"), entry("b", b"first"), entry("a", b"second"), entry("a", b"first")),
    "replaced.tar": tar(link("a", "/etc/passwd"), entry("a", b"x"), entry("b", b"y"), link("b", "a")),
    "links.tar": tar(
        folder("sub"),
        entry("sub/a", SAME),
        hard_link("sub/b", "sub/a"),
        link("l", "sub"),
        entry("l/c", SAME),
        link("x", "/no"),
    ),
    "modes.tgz": gzip.compress(
        tar(
            dressed(folder("locked"), mode=0o555, mtime=1000),
            dressed(entry("locked/tool", SAME), mode=0o4755, mtime=2000, uid=1234, gid=4321),
            dressed(entry("locked/secret", SAME), mode=0o000, mtime=3000),
            dressed(entry("named", b"x"), uname="root", gname="daemon", uid=77, gid=77),
            dressed(entry("old", b"x"), mtime=0),
        ),
        mtime=0,
    ),
    "fractions.tar": tar(dressed(entry("a", b"x"), mtime=1234567890.123456), format=tarfile.PAX_FORMAT),
    "names-gnu.tar": tar(*(entry(name, name.encode("utf-8", "surrogateescape")) for name in STRANGE)),
    "names-pax.tar": tar(*(entry(name + "x" * 200, b"x") for name in STRANGE), format=tarfile.PAX_FORMAT),
    "strange-links.tgz": gzip.compress(
        tar(link("l\udce9", "\udcff"), entry("f\udce9", b"x"), hard_link("h\udce9", "f\udce9"))
    ),
    "plain.zip": zip_of(
        {"tool": b"x", "soft": b"tool", "../evil": b"x", "sub/": b"", "sub/ünïcode 日本": SAME, "sub/other": SAME},
        {"tool": 0o100755, "soft": 0o120777, "sub/": 0o040750},
    ),
    "large.tgz": gzip.compress(
        tar(
            entry("noise", random.Random(1).randbytes(5 << 20)),
            entry("zeros", bytes(9 << 20)),
            entry("again", bytes(9 << 20)),
        ),
        compresslevel=1,
    ),
}


@pytest.mark.parametrize("name", BUNDLES)
async def test_the_tree_is_the_same_both_ways(hosts: Hosts, tmp_path: Path, name: str) -> None:
    bundle = archived(tmp_path / name, BUNDLES[name])
    local, remote = hosts
    for host in hosts:
        outcome = await host.download(bundle)
        assert outcome.succeeded, outcome.diagnostics
    assert tree(remote.archive()) == tree(local.archive())
    left = {path.name for path in remote.archive().parent.iterdir()}
    assert left == {"contents", "deployment-archive", "journal", "logs", "revision.json"}


@pytest.mark.parametrize("name", BUNDLES)
async def test_the_tree_is_the_same_when_all_of_it_is_on_the_host_already(
    hosts: Hosts, tmp_path: Path, name: str
) -> None:
    bundle = archived(tmp_path / name, BUNDLES[name])
    _, remote = hosts
    assert (await remote.download(bundle, "d-1")).succeeded
    before, sent = tree(remote.archive("d-1")), remote.transport.sent
    outcome = await remote.download(bundle, "d-2", "group-2")
    assert outcome.succeeded, outcome.diagnostics
    assert tree(remote.archive("d-2", "group-2")) == before == tree(remote.archive("d-1"))
    if os.geteuid() == 0:  # else files that their mode keeps from us travel again
        assert remote.transport.sent - sent < 4000


def fifo(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=tarfile.FIFOTYPE)


HOSTILE = {
    "climbing.tar": tar(entry("../evil", b"x")),
    "climbing-inside.tar": tar(entry("a/../../evil", b"x")),
    "through-a-link.tar": tar(link("out", ".."), entry("out/evil", b"x")),
    "through-a-longer-link.tar": tar(link("out", "../../"), entry("out/sub/evil", b"x")),
    "hard-link-out.tar": tar(hard_link("evil", "../secret")),
    "link-that-moves.tar": tar(
        entry("in/x", b"x"), link("out", "in"), entry("out/y", b"x"), link("out", ".."), entry("out/evil", b"x")
    ),
    "fifo.tar": tar(fifo("evil")),
    "nameless.tar": tar(entry(".", b"x")),
    "zero-byte.tar": tar(dressed(entry("x", b"x"), pax_headers={"path": "a\0b"}), format=tarfile.PAX_FORMAT),
    "strange-and-climbing.tar": tar(entry("\udce9/../../evil", b"x")),
    "garbage.tgz": b"garbage" * 100,
    "nothing.zip": b"",
    "cut-short.tgz": tgz_of({"x": os.urandom(100_000)})[:50_000],
    "cut-short.tar": tar(entry("x", os.urandom(100_000)))[:50_000],
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_must_not_be_unpacked_fails_in_the_same_words_both_ways(
    hosts: Hosts, tmp_path: Path, name: str
) -> None:
    bundle = archived(tmp_path / name, HOSTILE[name])
    outcomes = [await host.download(bundle) for host in hosts]
    said = [
        outcome.diagnostics.message.replace(str(host.root), "") for outcome, host in zip(outcomes, hosts, strict=True)
    ]
    assert not any(outcome.succeeded for outcome in outcomes)
    assert said[0] == said[1]
    assert said[0].startswith("The bundle")
    assert "report" not in said[0]
    for host in hosts:
        assert not list(host.root.rglob("evil*"))
        assert {path.name for path in host.archive().parent.iterdir()} <= {"bundle.tar", "contents", "journal", "logs"}


async def test_a_bundle_that_is_not_the_expected_one_or_gone_fails_in_the_same_words(
    hosts: Hosts, tmp_path: Path
) -> None:
    bundle = archived(tmp_path / "a.tgz", tgz_of({"x": b"x"}))
    (tmp_path / "a.tgz").write_bytes(b"something else")
    said = [(await host.download(bundle, "d-1")).diagnostics.message for host in hosts]
    assert said[0] == said[1]
    assert said[0].startswith(f"Expected deployment artifact bundle sha256 {bundle.sha256} but was actually")
    (tmp_path / "a.tgz").unlink()
    said = [(await host.download(bundle, "d-2")).diagnostics.message for host in hosts]
    assert said == [f"The bundle {bundle.path} is gone from the cache of the control side."] * 2


async def test_trees_made_at_random_are_the_same_both_ways(hosts: Hosts, tmp_path: Path) -> None:
    chooser = random.Random(5)
    for number in range(12):
        bundle = a_random_bundle(chooser, tmp_path / f"{number}.tar")
        outcomes = [await host.download(bundle, f"d-{number}") for host in hosts]
        assert outcomes[0].succeeded == outcomes[1].succeeded
        if outcomes[0].succeeded:
            assert tree(hosts[1].archive(f"d-{number}")) == tree(hosts[0].archive(f"d-{number}"))


def a_random_bundle(chooser: random.Random, path: Path) -> Bundle:
    """Few names and few contents, so that members meet: files in the place of folders, links to links, and so on."""

    def name() -> str:
        return "/".join(chooser.choice(["a", "b", "\udce9", "."]) for _ in range(chooser.randint(1, 3)))

    makers = [
        lambda: entry(name(), chooser.choice([b"", b"x", b"y" * 5000])),
        lambda: entry(name(), chooser.randbytes(chooser.randint(0, 300_000))),
        lambda: folder(name()),
        lambda: link(name(), name()),
        lambda: hard_link(name(), name()),
    ]
    out = io.BytesIO(tar(*(chooser.choice(makers[:3] * 3 + makers)() for _ in range(chooser.randint(1, 12)))))
    return archived(path, out.getvalue())
