"""People who sign commits with real git, ssh-keygen and gpg, and a git that says what it thinks of the signatures."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_git import git


class Signers:
    """Keys below *folder*, whose name is short: the socket of gpg's agent is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "gnupg"
        self.home.mkdir(mode=0o700)

    def ssh(self, name: str) -> str:
        """Make a key; returns its public half."""
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name))
        return self.public(name)

    def public(self, name: str) -> str:
        return (self.folder / f"{name}.pub").read_text().strip()

    def fingerprint(self, name: str) -> str:
        return self.run("ssh-keygen", "-l", "-f", str(self.folder / f"{name}.pub")).split()[1]

    def certify(self, authority: str, name: str, principal: str) -> None:
        """Let *authority* sign the key *name*, which then signs as `NAME-cert`."""
        ca, key = self.folder / authority, self.folder / f"{name}.pub"
        self.run("ssh-keygen", "-q", "-s", str(ca), "-I", name, "-n", principal, str(key))

    def gpg(self, name: str, *, lives: str = "0", born: str | None = None) -> str:
        """Make a key that *lives* so long (`1d`); returns its fingerprint."""
        who = f"{name} <{name}@example.com>"
        clock = ["--faked-system-time", born] if born else []
        self.run(*self._gpg, *clock, "--passphrase", "", "--quick-generate-key", who, "ed25519", "sign", lives)
        listed = self.run(*self._gpg, "--with-colons", "--list-keys", name)
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def revoke(self, fingerprint: str) -> None:
        certificate = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":---", "---")
        self.run(*self._gpg, "--import", given=certificate)

    def export(self, *fingerprints: str) -> str:
        return self.run(*self._gpg, "--armor", "--export", *fingerprints)

    def by_ssh(self, name: str) -> list[str]:
        """Options of git that sign with the key *name*."""
        return ["-c", "gpg.format=ssh", "-c", f"user.signingKey={self.folder / name}.pub", "-c", "commit.gpgSign=true"]

    def by_gpg(self, fingerprint: str, *, at: str | None = None) -> list[str]:
        """*at*: the time that gpg believes it is."""
        program = self.folder / f"gpg-{at}"
        clock = f"--faked-system-time {at}" if at else ""
        program.write_text(f'#!/bin/sh\nexec gpg --homedir {self.home} --batch {clock} "$@"\n')
        program.chmod(0o755)
        options = ["-c", "gpg.format=openpgp", "-c", f"gpg.program={program}", "-c", f"user.signingKey={fingerprint}!"]
        return [*options, "-c", "commit.gpgSign=true"]

    def run(self, *command: str, given: str = "") -> str:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def _gpg(self) -> list[str]:
        return ["gpg", "--homedir", str(self.home), "--batch", "--pinentry-mode", "loopback"]


@contextmanager
def signers() -> Iterator[Signers]:
    folder = Path(tempfile.mkdtemp(prefix="sign-", dir="/tmp"))
    made = Signers(folder)
    try:
        yield made
    finally:
        made.run("gpgconf", "--homedir", str(made.home), "--kill", "all")  # the agent of this home, by its own socket
        shutil.rmtree(folder)


def raw(repository: Path, commit_id: str) -> bytes:
    """The commit object."""
    return subprocess.run(
        ["git", "cat-file", "commit", commit_id], cwd=repository, capture_output=True, check=True
    ).stdout


def write(repository: Path, commit: bytes) -> str:
    """Put *commit* into the repository as an object, whatever it says; returns its ID."""
    command = ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
    done = subprocess.run(command, cwd=repository, input=commit, capture_output=True, check=True)
    return done.stdout.decode().strip()


def with_signature(commit: bytes, signature: bytes) -> bytes:
    """*commit*, unsigned, with *signature* in its headers."""
    head, _, message = commit.partition(b"\n\n")
    folded = b"\n ".join(signature.rstrip(b"\n").split(b"\n"))
    return head + b"\ngpgsig " + folded + b"\n\n" + message


def git_says_good(repository: Path, commit_id: str, lists: Mapping[str, bytes | None], folder: Path) -> bool:
    """`git verify-commit` with *lists* (`signers`, `revoked`, `keys`) and nothing else to go by."""
    home = Path(tempfile.mkdtemp(prefix="verify-", dir="/tmp"))
    options = []
    for name, setting in (("signers", "gpg.ssh.allowedSignersFile"), ("revoked", "gpg.ssh.revocationFile")):
        if (content := lists.get(name)) is not None:
            (folder / name).write_bytes(content)
            options += ["-c", f"{setting}={folder / name}"]
    environment = {**os.environ, "GNUPGHOME": str(home), "TZ": "UTC", "GIT_CONFIG_GLOBAL": os.devnull}
    try:
        if (keys := lists.get("keys")) is not None:
            command = ["gpg", "--batch", "--no-autostart", "--import"]
            subprocess.run(command, input=keys, env=environment, capture_output=True, check=False)
        asked = ["git", *options, "verify-commit", commit_id]
        done = subprocess.run(asked, cwd=repository, env=environment, capture_output=True, timeout=60)
        return done.returncode == 0
    finally:
        shutil.rmtree(home)


def commit_signed(repository: Path, by: list[str], message: str = "a change", *, at: str | None = None) -> str:
    """Commit whatever is in the work tree; returns the commit ID. *at*: the commit's time, as git reads it."""
    git(repository, "add", "--all")
    who = ["-c", "user.name=A. Committer", "-c", "user.email=committer@example.com"]
    command = ["git", *who, *by, "commit", "--quiet", "--allow-empty", "--message", message]
    environment = {**os.environ, **({"GIT_COMMITTER_DATE": at} if at else {}), "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return git(repository, "rev-parse", "HEAD")
