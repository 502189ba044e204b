"""Bundles by content over real SSH."""

import io
import random
import shutil
import tarfile
import time
from pathlib import Path

import pytest
from host_cases import appspec, bundle_of, job
from sshd import sshd

from runner.model.command import Command
from runner.model.revision import Bundle
from runner.model.target import Host
from runner.platforms.server.connection import Connection
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.transport import Transports

SIZE, COUNT = 200_000_000, 1000


class Counting:
    """The usual transports, with a count of the bytes that are given to them to be sent."""

    def __init__(self) -> None:
        self.transports = Transports()
        self.sent = 0

    async def connect(self, host: Host) -> Connection:
        connection = await self.transports.connect(host)
        send = connection.send

        async def counted(content: bytes) -> None:
            self.sent += len(content)
            await send(content)

        connection.send = counted  # type: ignore[method-assign]
        return connection

    async def close(self) -> None:
        await self.transports.close()


def large_bundle(path: Path, changed: int | None = None) -> Bundle:
    """200 MB in a thousand files, half of it noise; file number *changed* is another one."""
    noise = random.Random(1).randbytes(SIZE // COUNT)
    with tarfile.open(path, "w") as tar:
        for number in range(COUNT):
            half = noise[: len(noise) // 2]
            content = (
                b"%9d %9d" % (number, number == changed) + half + b"text of file %9d\n" % number * (len(half) // 23)
            )
            member = tarfile.TarInfo(f"data/{number}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return bundle_of(path, "tar")


@pytest.mark.large
async def test_a_second_deployment_of_200_mb_with_one_changed_file_sends_under_a_hundredth_of_the_bytes(
    tmp_path: Path,
) -> None:
    bundles = [large_bundle(tmp_path / "1.tar"), large_bundle(tmp_path / "2.tar", changed=7)]
    transport = Counting()
    platform = ServerPlatform(transport=transport)
    sent, took = [], []
    with sshd(tmp_path / "sshd") as server:
        for number, bundle in enumerate(bundles):
            made = job(bundle, appspec(), f"d-{number}")
            command = Command(job=made, host=server.host(), lifecycle_event="DownloadBundle", attempt=1, is_last=True)
            before, began = transport.sent, time.monotonic()
            outcome = await platform.run(command, lambda text: None)
            assert outcome.succeeded, outcome.diagnostics
            sent.append(transport.sent - before)
            took.append(time.monotonic() - began)
        await platform.close()
        archive = server.root / "var/lib/penstock/group-1/d-1/deployment-archive"
        with tarfile.open(bundles[1].path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None
                assert (archive / member.name).read_bytes() == content.read()
    print(f"sent {sent} bytes in {took} s")  # of the event alone; `pytest -s` shows it
    shutil.rmtree(tmp_path)  # pytest keeps its folders for a while
    assert sent[1] < sent[0] / 100
