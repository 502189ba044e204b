"""known_hosts, read as OpenSSH reads it; ssh-keygen is the judge where it can be."""

import base64
import subprocess
from pathlib import Path

import pytest
from sshd import new_key

from runner.platforms.server.ssh.known_hosts import (
    Verdict,
    algorithms,
    entries_for,
    fingerprint,
    judge,
    kind,
    line_for,
    lookup_name,
)

KEY = base64.b64decode("AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ")
OTHER = KEY[:-1] + b"x"
B64 = base64.b64encode(KEY).decode()


def found(tmp_path: Path, text: str, name: str) -> list[int]:
    """Lines of *text* that are about *name*."""
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return [entry.line for entry in entries_for(name, [str(file), str(tmp_path / "none")])]


@pytest.mark.parametrize(
    ("names", "name", "fits"),
    [
        ("web-1", "web-1", True),
        ("WEB-1", "web-1", True),
        ("web-1", "web-11", False),
        ("a,web-1,b", "web-1", True),
        ("web-?", "web-1", True),
        ("*.example.com", "a.b.example.com", True),
        ("*,!web-1", "web-1", False),
        ("*,!web-1", "web-2", True),
        ("!web-1", "web-2", False),
        ("[web-1]:2222", "[web-1]:2222", True),
        ("[web-1]:2222", "web-1", False),
        ("web-1", "[web-1]:2222", False),
        ("[*]:22?2", "[web-1]:2222", True),
        ("|1|nonsense", "web-1", False),
        ("|1|a|b", "web-1", False),
    ],
)
def test_the_first_field_names_hosts(tmp_path: Path, names: str, name: str, fits: bool) -> None:
    assert found(tmp_path, f"{names} ssh-ed25519 {B64} a comment\n", name) == ([1] if fits else [])


def test_ssh_keygen_finds_the_same_lines_hashed_or_not(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("".join(f"{name} ssh-ed25519 {B64}\n" for name in ("web-1", "[web-1]:2222", "web-2", "web-1")))
    for _ in range(2):
        for name in ("web-1", "[web-1]:2222", "web-2", "web-3"):
            said = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, text=True).stdout
            lines = [int(line.split()[-1]) for line in said.splitlines() if line.startswith("#")]
            assert [entry.line for entry in entries_for(name, [str(file)])] == lines
        subprocess.run(["ssh-keygen", "-Hf", file], capture_output=True, check=True)


def test_what_is_no_entry_is_passed_over(tmp_path: Path) -> None:
    text = f"# web-1 ssh-ed25519 {B64}\n\nweb-1\nweb-1 ssh-ed25519\nweb-1 ssh-ed25519 !!!\nweb-1 ssh-ed25519 {B64}\n"
    assert found(tmp_path, text, "web-1") == [6]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    assert found(tmp_path, "", "web-1") == []
    assert found(tmp_path, f"web-1 ssh-ed25519 {B64}\n", "web-1") == [1]


def verdict(tmp_path: Path, text: str, key: bytes = KEY) -> Verdict:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return judge(key, entries_for("web-1", [str(file)]))[0]


def test_verdicts(tmp_path: Path) -> None:
    known = line_for("web-1", KEY)
    assert verdict(tmp_path, "") is Verdict.UNKNOWN
    assert verdict(tmp_path, known) is Verdict.KNOWN
    assert verdict(tmp_path, known, OTHER) is Verdict.CHANGED
    assert verdict(tmp_path, line_for("web-1", OTHER) + known) is Verdict.KNOWN
    assert verdict(tmp_path, known + "@revoked " + known) is Verdict.REVOKED
    assert verdict(tmp_path, "@revoked " + known.replace("web-1", "*")) is Verdict.REVOKED
    assert verdict(tmp_path, "@cert-authority " + known) is Verdict.UNKNOWN


def test_algorithms_of_known_keys_are_asked_for_first(tmp_path: Path) -> None:
    assert algorithms([]).startswith("ssh-ed25519,")
    file = tmp_path / "known_hosts"
    rsa = new_key(tmp_path / "rsa", "rsa").with_suffix(".pub").read_text().split()
    file.write_text(f"web-1 {rsa[0]} {rsa[1]}\n")
    assert algorithms(entries_for("web-1", [str(file)])).startswith("rsa-sha2-512,rsa-sha2-256,ssh-ed25519")


def test_a_key_is_shown_as_openssh_shows_it(tmp_path: Path) -> None:
    public = new_key(tmp_path / "key", "ecdsa").with_suffix(".pub")
    key = base64.b64decode(public.read_text().split()[1])
    said = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True).stdout
    assert fingerprint(key) == said.split()[1]
    assert kind(key) == "ecdsa-sha2-nistp256"


def test_a_port_of_its_own_is_part_of_the_name() -> None:
    assert (lookup_name("Web", 22), lookup_name("Web", 2222)) == ("web", "[web]:2222")
