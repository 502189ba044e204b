"""Hosts over SSH where something is wrong: each a clear outcome of that target, within its limits, and never a crash."""

import datetime as dt
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_cases import appspec, commands, job, tgz
from sshd import PYTHON, Sshd, new_key, sshd

from runner.errors import WorldError
from runner.model.target import Host
from runner.platforms.server.connection import Connection
from runner.platforms.server.platform import ServerPlatform
from runner.platforms.server.ssh.known_hosts import fingerprint
from runner.platforms.server.ssh.transport import SshTransport

SHORT = dt.timedelta(seconds=0.5)
PATIENT = dt.timedelta(seconds=30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd") as running:
        yield running


async def refused(host: Host) -> str:
    """The message of what somebody has to mend before this host can be connected to."""
    with pytest.raises(WorldError) as caught:
        await SshTransport().connect(host)
    assert not caught.value.retryable, caught.value
    return caught.value.message


async def down(host: Host) -> str:
    """The message of what may be better in a moment."""
    with pytest.raises(WorldError) as caught:
        await SshTransport().connect(host)
    assert caught.value.retryable, caught.value
    return caught.value.message


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_trouble_is_the_failed_outcome_of_its_target(server: Sshd, tmp_path: Path) -> None:
    platform = ServerPlatform()
    command = commands(job(tgz(tmp_path / "b.tgz", {}), appspec()), server.host(python="/no/python"))[0]
    outcome = await platform.run(command, lambda text: None)
    assert outcome.diagnostics.error_code == "UnknownError"
    assert outcome.diagnostics.message.startswith(
        "Host web-1 could not run ApplicationStop: there is no Python on the host"
    )
    await platform.close()


async def test_a_host_that_stays_away_is_warned_of_once(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts, warnings = [], []
    monkeypatch.setattr("runner.platforms.server.platform._log", lambda *what: warnings.append(what))
    connect = SshTransport.connect

    async def counted(transport: SshTransport, host: Host) -> Connection:
        attempts.append(host)
        return await connect(transport, host)

    monkeypatch.setattr(SshTransport, "connect", counted)
    platform = ServerPlatform(retry_for=SHORT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody_there = server.host(port=listener.getsockname()[1])
    command = commands(job(tgz(tmp_path / "b.tgz", {}), appspec()), nobody_there)[0]
    outcome = await platform.run(command, lambda text: None)
    assert "Connection refused" in outcome.diagnostics.message
    assert len(attempts) > 2
    assert len(warnings) == 1
    await platform.close()


async def test_a_host_that_is_down_is_tried_again(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert await down(server.host(port=port)) == f"127.0.0.1 port {port} cannot be reached: Connection refused"


async def test_a_host_that_says_nothing_is_given_up_in_time(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = server.host(port=listener.getsockname()[1], connect_timeout=SHORT)
        assert await down(host) == "it did not let us in within 0.5 s (connect_timeout)"


async def test_a_host_that_speaks_something_else_is_tried_again(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import asyncio

        async def serve() -> None:
            listener.setblocking(False)
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        serving = asyncio.create_task(serve())
        message = await down(server.host(port=listener.getsockname()[1], connect_timeout=PATIENT))
        await serving
    assert message.startswith("the SSH connection to 127.0.0.1 port ")


async def test_a_name_that_nobody_knows_says_what_to_correct(server: Sshd) -> None:
    assert "correct `address`" in await refused(server.host(address="no-such-host.invalid"))
    assert "correct `address`" in await refused(server.host(address="host..example"))


async def test_an_unknown_key_is_refused_with_the_command_that_adds_it(server: Sshd, tmp_path: Path) -> None:
    message = await refused(server.host("web-7", known_hosts=str(tmp_path / "none")))
    assert f"the key of [127.0.0.1]:{server.port} is not known" in message
    assert fingerprint(server.public_key) in message
    assert "`penstock hosts trust web-7`" in message
    assert not (server.root / "var").exists()


async def test_a_changed_key_is_refused_loudly_with_both_fingerprints_and_the_line(
    server: Sshd, tmp_path: Path
) -> None:
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    server.known_hosts.write_text(f"# a remark\n[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    message = await refused(server.host())
    printed = subprocess.run(["ssh-keygen", "-lf", tmp_path / "other.pub"], capture_output=True, text=True, check=True)
    assert f"THE KEY OF [127.0.0.1]:{server.port} HAS CHANGED" in message
    assert f"Known: ssh-ed25519 {printed.stdout.split()[1]} ({server.known_hosts}:2)" in message
    assert f"Offered: ssh-ed25519 {fingerprint(server.public_key)}" in message
    assert f"`ssh-keygen -R '[127.0.0.1]:{server.port}' -f {server.known_hosts}`" in message
    assert message.endswith("then `penstock hosts trust web-1`")


async def test_a_revoked_key_is_refused(server: Sshd) -> None:
    known = server.known_hosts.read_text()
    server.known_hosts.write_text(known + "@revoked " + known)
    assert f"is marked as revoked ({server.known_hosts}:2)" in await refused(server.host())


async def test_a_hashed_entry_is_known(server: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-Hf", server.known_hosts], check=True, capture_output=True)
    assert "127.0.0.1" not in server.known_hosts.read_text()
    await (await SshTransport().connect(server.host())).close()


async def test_the_key_that_is_known_is_asked_for_among_several(tmp_path: Path) -> None:
    second = new_key(tmp_path / "second", "ecdsa")
    with sshd(tmp_path / "sshd", [f"HostKey {second}"]) as server:
        kind, key, *_ = second.with_suffix(".pub").read_text().split()
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {kind} {key}\n")
        await (await SshTransport().connect(server.host())).close()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_host_keys_and_user_keys_of_other_types_work(kind: str, tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", key_type=kind) as server:
        new_key(server.user_key, kind)
        server.admit(server.user_key)
        await (await SshTransport().connect(server.host())).close()


async def test_a_refused_key_is_named(server: Sshd) -> None:
    message = await refused(server.host(identity_files=(str(server.strange_key),)))
    assert message == (
        f"127.0.0.1 port {server.port} does not let {server.user} in: the key {server.strange_key} was refused"
    )


async def test_every_key_is_tried_and_every_reason_told(server: Sshd, tmp_path: Path) -> None:
    locked = new_key(tmp_path / "locked", passphrase="correct horse")
    (tmp_path / "text").write_text("hello\n")
    names = [str(tmp_path / "gone"), str(tmp_path / "text"), str(locked), str(server.strange_key)]
    message = await refused(server.host(identity_files=tuple(names)))
    assert f"the key {names[0]} cannot be read (No such file or directory)" in message
    assert f"{names[1]} is no private key" in message
    assert f"the key {names[2]} has a passphrase; add it to an agent (ssh-add {names[2]})" in message
    assert f"the key {names[3]} was refused" in message
    await (await SshTransport().connect(server.host(identity_files=(*names, str(server.user_key))))).close()


async def test_a_host_that_hangs_up_after_so_many_keys_is_not_tried_again(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", ["MaxAuthTries 2"]) as server:
        message = await refused(server.host(identity_files=(str(server.strange_key),) * 5 + (str(server.user_key),)))
    assert "hung up on" in message
    assert "MaxAuthTries" in message


async def test_no_key_at_all_is_said(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "there is neither a key file nor an agent (SSH_AUTH_SOCK)" in await refused(server.host(identity_files=()))


@pytest.mark.parametrize("python", ["/no/such/python3", "python-of-nobody"])
async def test_a_host_without_python_says_what_was_looked_for(server: Sshd, python: str) -> None:
    message = await refused(server.host(python=python))
    assert message.startswith(f"there is no Python on the host: looked for {python}, 3.8 or later. ")
    assert 'python = "/path/to/python3"' in message


async def test_a_python_that_is_too_old_is_refused_by_its_version(server: Sshd, tmp_path: Path) -> None:
    old = script(
        tmp_path / "old",
        f'[ "$3" = -c ] && exec {PYTHON} -I -S -c "import sys; sys.version_info = (3, 6, 9, \'final\', 0); $4"\n'
        f'exec {PYTHON} "$@"',
    )
    message = await refused(server.host(python=old))
    assert message.startswith(f"{old} on the host is Python 3.6.9; the executor needs 3.8 or later. ")


async def test_what_is_no_python_is_said_in_its_own_words(server: Sshd, tmp_path: Path) -> None:
    message = await refused(server.host(python=script(tmp_path / "x", "echo I am no Python >&2; exit 4")))
    assert message == "the executor could not be put on the host: I am no Python"


async def test_a_python_that_never_ends_is_given_up_in_time(server: Sshd, tmp_path: Path) -> None:
    slow = script(tmp_path / "slow", "exec sleep 60")
    message = await down(server.host(python=slow, command_timeout=SHORT))
    assert message == "the host did not start the executor within 0.5 s (command_timeout)"


AS_NOBODY = f"{'' if os.geteuid() == 0 else 'sudo -n '}setpriv --reuid=65534 --regid=65534 --clear-groups"


async def test_sudo_that_wants_a_password_is_refused(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", [f'ForceCommand exec {AS_NOBODY} sh -c "$SSH_ORIGINAL_COMMAND"']) as server:
        message = await refused(server.host(sudo=True))
    assert message.startswith(f"sudo on the host does not let {server.user} start Python without a password (sudo: ")
    assert "NOPASSWD" in message


async def test_a_host_without_sudo_is_told_apart_from_one_without_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(PYTHON)
    without = f'ForceCommand export PATH={tmp_path}/bin; eval "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path / "sshd", [without]) as server:
        message = await refused(server.host(sudo=True))
        await (await SshTransport().connect(server.host(python="python3"))).close()
    assert message.startswith("there is no sudo on the host")


async def test_a_folder_that_may_not_be_written_says_that_sudo_would_help(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", [f'ForceCommand exec {AS_NOBODY} sh -c "$SSH_ORIGINAL_COMMAND"']) as server:
        message = await refused(server.host(folder=Path("/")))
    assert "could not be put on the host: [Errno 13] Permission denied" in message
    assert "`sudo = true`" in message


async def test_sudo_without_a_password_runs_the_executor(server: Sshd) -> None:
    await (await SshTransport().connect(server.host(sudo=True))).close()
    assert (server.root / "var/lib/penstock/executor").stat().st_uid == 0


async def test_a_folder_whose_parent_is_missing_is_said(server: Sshd, tmp_path: Path) -> None:
    message = await refused(server.host(folder=tmp_path / "no/such"))
    assert f"No such file or directory: '{tmp_path}/no/such'" in message


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: EFBIG where a full disk has ENOSPC, at the same places."""
    with sshd(tmp_path / "sshd", ['ForceCommand ulimit -f 1; eval "$SSH_ORIGINAL_COMMAND"']) as server:
        message = await refused(server.host())
        left = list((server.root / "var/lib/penstock/executor").iterdir())
    assert "the executor could not be put on the host: [Errno 27] File too large" in message
    assert left == []


async def test_a_login_shell_that_refuses_everybody_is_said(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", ["ForceCommand echo This account is not available; exit 1"]) as server:
        message = await refused(server.host())
    assert (
        message
        == "the executor could not be put on the host: exit status 1, after it printed: This account is not available"
    )
