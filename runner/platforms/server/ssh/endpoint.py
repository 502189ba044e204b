"""Where a host really is, and by which hops: the runner's configuration first, then `~/.ssh/config` as OpenSSH reads it."""

import functools
import os
import pwd
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from runner.errors import WorldError
from runner.model.target import Host, Ssh

_DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<address>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]+))?/?")
_MOST_HOPS = 8


class Endpoint(NamedTuple):
    """One machine to log in to. *known_as*: what known_hosts calls it. *named*: whether somebody chose *identities*."""

    address: str
    port: int
    user: str
    identities: tuple[str, ...]
    named: bool
    known_as: str

    def __str__(self) -> str:
        return self.address if self.port == 22 else f"{self.address} port {self.port}"


def route(host: Host) -> list[Endpoint]:
    """The hops to *host* in their order, the host itself last.

    Raises `WorldError` when `~/.ssh/config` cannot be read, or asks for what is not followed here.
    """
    ssh = host.ssh or Ssh()
    return _route(ssh.address or host.name, ssh.user, ssh.port, ssh.identity_files, ssh.proxy_jump, host.name, 0)


def _route(
    address: str,
    user: str | None,
    port: int | None,
    identities: tuple[str, ...],
    proxy_jump: str | None,
    name: str,
    depth: int,
) -> list[Endpoint]:
    if depth > _MOST_HOPS:
        raise WorldError(f"ProxyJump of {name} leads through more than {_MOST_HOPS} machines", retryable=False)
    found = _from_file(address)
    if proxy_jump is None and found.get("proxycommand", ["none"])[0] != "none":
        raise WorldError(
            f"~/.ssh/config has a ProxyCommand for {address}, which is not followed here; give proxy_jump",
            retryable=False,
        )
    jump = proxy_jump if proxy_jump is not None else found.get("proxyjump", ["none"])[0]
    hops: list[Endpoint] = []
    for number, hop in enumerate([] if jump == "none" else jump.split(",")):
        parts = _HOP.fullmatch(hop.strip())
        if parts is None:
            raise WorldError(
                f"{hop.strip()!r} is no machine to jump through; expected [USER@]HOST[:PORT]", retryable=False
            )
        to, port_text = parts["address"].strip("[]"), parts["port"]
        # as OpenSSH: the first hop may itself be behind another, the later ones are reached from their predecessor
        inner = None if number == 0 else "none"
        hops += _route(to, parts["user"], int(port_text) if port_text else None, (), inner, name, depth + 1)
    return [*hops, _endpoint(address, user, port, identities, found)]


def _endpoint(
    address: str, user: str | None, port: int | None, identities: tuple[str, ...], found: dict[str, list[str]]
) -> Endpoint:
    where = found.get("hostname", [address])[0]
    in_file = tuple(found.get("identityfile", ()))
    default = not identities and _is_default(in_file)
    files = identities or (_DEFAULT_IDENTITIES if default else in_file)
    return Endpoint(
        address=where,
        port=port or int(found.get("port", ["22"])[0]),
        user=user or found.get("user", [""])[0] or pwd.getpwuid(os.getuid()).pw_name,
        identities=tuple(path for path in map(os.path.expanduser, files) if Path(path).is_file() or identities),
        named=not default,
        known_as=found.get("hostkeyalias", [where])[0],
    )


def _is_default(files: tuple[str, ...]) -> bool:
    """Whether OpenSSH shows its own list, as nobody has named an identity."""
    return not files or (len(files) > 3 and {"~/.ssh/id_rsa", "~/.ssh/id_ed25519"} <= set(files))


def has_file() -> bool:
    """Whether there is a `~/.ssh/config`, so that `route` may start OpenSSH, and block."""
    return _config().exists()


def _config() -> Path:
    return Path("~/.ssh/config").expanduser()


def _from_file(address: str) -> dict[str, list[str]]:
    """What `~/.ssh/config` says about *address*, by keyword in lower case; nothing when there is no such file."""
    path = _config()
    try:
        state = path.stat()
    except OSError:
        return {}
    return _ask_openssh(str(path), state.st_ino, state.st_mtime_ns, address)


@functools.lru_cache(maxsize=4096)
def _ask_openssh(path: str, inode: int, changed: int, address: str) -> dict[str, list[str]]:
    """Only OpenSSH knows all of its own grammar. *inode*, *changed*: so that a new file is read anew."""
    try:
        done = subprocess.run(
            ["ssh", "-G", "-F", path, "--", address], capture_output=True, text=True, timeout=10, check=False
        )
    except FileNotFoundError as error:
        raise WorldError(
            "there is a ~/.ssh/config, but no program `ssh` to read it; install OpenSSH's client, or move the file away "
            "and give address, user and so on in penstock.toml",
            retryable=False,
        ) from error
    except subprocess.TimeoutExpired as error:
        raise WorldError(f"`ssh -G {address}` does not end; does ~/.ssh/config run a program?") from error
    if done.returncode != 0:
        raise WorldError(f"~/.ssh/config cannot be used: {done.stderr.strip()}", retryable=False)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found
