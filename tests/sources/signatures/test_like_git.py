"""Our verdict on signatures beside git's own, on commits that real git has signed."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from commit_signers import Signers, commit_signed, git_says_good, raw, signers, with_signature, write
from local_git import commit, git, new_repository

from runner.sources.signatures.commit import parse
from runner.sources.signatures.judge import verify
from runner.sources.signatures.policy import Policy
from runner.sources.signatures.verdict import Bad, Good


class Scene(NamedTuple):
    """Keys that were made once, and a repository of this test's own."""

    people: Signers
    prints: dict[str, str]
    repository: Path

    def allowed(self, options: str = "", name: str = "ada") -> bytes:
        return f"{name}@example.com {options} {self.people.public(name)}\n".encode()

    def sign(self, name: str = "ada", at: str | None = None) -> str:
        return commit_signed(self.repository, self.people.by_ssh(name), at=at)


class Case(NamedTuple):
    """A commit, the lists that it is judged by, and what the verdict is to say."""

    commit: str
    says: str  # part of the reason, or of the signer's name
    signers: bytes | None = None
    revoked: bytes | None = None
    keys: bytes | None = None
    good: bool = False


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[Signers, dict[str, str]]]:
    with signers() as made:
        for name in ("ada", "eve", "ca", "cal"):
            made.ssh(name)
        made.certify("ca", "cal", "cal@example.com")
        prints = {name: made.gpg(name) for name in ("bob", "eva", "lost")}
        prints["old"] = made.gpg("old", lives="1d", born="20240101T000000")
        yield made, prints


@pytest.fixture
def scene(people: tuple[Signers, dict[str, str]], tmp_path: Path) -> Scene:
    return Scene(*people, new_repository(tmp_path / "shop"))


def ssh_good(scene: Scene) -> Case:
    return Case(scene.sign(), "ada@example.com", signers=scene.allowed('namespaces="git"'), good=True)


def ssh_second_principal(scene: Scene) -> Case:
    listed = f"# who\n\nx@example.com,ada@example.com {scene.people.public('ada')}\n".encode()
    return Case(scene.sign(), "x@example.com", signers=listed, good=True)


def ssh_pattern(scene: Scene) -> Case:
    return Case(
        scene.sign(), "*@example.com", signers=f"*@example.com {scene.people.public('ada')}".encode(), good=True
    )


def ssh_foreign(scene: Scene) -> Case:
    return Case(scene.sign("eve"), "not on the list", signers=scene.allowed())


def ssh_namespace_of_the_list(scene: Scene) -> Case:
    return Case(
        scene.sign(), "not permitted for use in signature namespace", signers=scene.allowed('namespaces="file"')
    )


def ssh_namespace_of_the_signature(scene: Scene) -> Case:
    bare = raw(scene.repository, commit(scene.repository))
    return Case(_signed_for(scene, bare, "file"), "made for 'file', not for git", signers=scene.allowed())


def ssh_expired(scene: Scene) -> Case:
    listed = scene.allowed('valid-before="20200101"')
    return Case(scene.sign(at="2021-01-01T00:00:00+0000"), "not valid at the commit's time", signers=listed)


def ssh_not_yet_valid(scene: Scene) -> Case:
    listed = scene.allowed('valid-after="20220101"')
    return Case(scene.sign(at="2021-01-01T00:00:00+0000"), "not valid at the commit's time", signers=listed)


def ssh_expired_since(scene: Scene) -> Case:
    listed = scene.allowed('valid-before="20220101"')
    return Case(scene.sign(at="2021-01-01T00:00:00+0000"), "ada@", signers=listed, good=True)


def ssh_revoked(scene: Scene) -> Case:
    return Case(scene.sign(), "revoked", signers=scene.allowed(), revoked=scene.people.public("ada").encode())


def ssh_revoked_by_a_krl(scene: Scene) -> Case:
    krl = scene.people.folder / "krl"
    scene.people.run("ssh-keygen", "-q", "-k", "-f", str(krl), str(scene.people.folder / "ada.pub"))
    return Case(scene.sign(), "revoked", signers=scene.allowed(), revoked=krl.read_bytes())


def ssh_somebody_else_revoked(scene: Scene) -> Case:
    revoked = scene.people.public("eve").encode()
    return Case(scene.sign(), "ada@", signers=scene.allowed(), revoked=revoked, good=True)


def ssh_certificate(scene: Scene) -> Case:
    listed = f'*@example.com cert-authority,namespaces="git" {scene.people.public("ca")}\n'.encode()
    return Case(scene.sign("cal-cert"), "cal@example.com", signers=listed, good=True)


def ssh_certificate_of_nobody(scene: Scene) -> Case:
    listed = f"*@example.com cert-authority {scene.people.public('eve')}\n".encode()
    return Case(scene.sign("cal-cert"), "not on the list", signers=listed)


def ssh_tampered(scene: Scene) -> Case:
    changed = raw(scene.repository, scene.sign()).replace(b"a change", b"another")
    return Case(write(scene.repository, changed), "changed one of the two", signers=scene.allowed())


def ssh_tampered_by_a_stranger(scene: Scene) -> Case:
    changed = raw(scene.repository, scene.sign("eve")).replace(b"a change", b"another")
    return Case(write(scene.repository, changed), "changed one of the two", signers=scene.allowed())


def unsigned(scene: Scene) -> Case:
    return Case(commit(scene.repository), "not signed", signers=scene.allowed())


def signed_tag_on_an_unsigned_commit(scene: Scene) -> Case:
    made = commit(scene.repository)
    git(scene.repository, *scene.people.by_ssh("ada"), "tag", "--sign", "v1", "--message", "one")
    return Case(made, "not signed", signers=scene.allowed())


def signature_of_a_tag(scene: Scene) -> Case:
    made = commit(scene.repository)
    git(scene.repository, *scene.people.by_ssh("ada"), "tag", "--sign", "v1", "--message", "one")
    tag = git(scene.repository, "cat-file", "tag", "v1")
    stolen = tag[tag.index("-----BEGIN") :].encode()
    return Case(
        write(scene.repository, with_signature(raw(scene.repository, made), stolen)),
        "changed one of the two",
        signers=scene.allowed(),
    )


def signature_in_the_message(scene: Scene) -> Case:
    """libgit2 takes it for the commit's own."""
    made = raw(scene.repository, scene.sign())
    head, _, message = made.partition(b"\n\n")
    start = head.index(b"\ngpgsig ")
    moved = head[:start] + b"\n\n" + head[start + 1 :] + b"\n" + message
    return Case(write(scene.repository, moved), "not signed", signers=scene.allowed())


def twice_signed(scene: Scene) -> Case:
    made = raw(scene.repository, scene.sign())
    head, _, message = made.partition(b"\n\n")
    doubled = head + head[head.index(b"\ngpgsig ") :] + b"\n\n" + message
    return Case(write(scene.repository, doubled), "more than one", signers=scene.allowed())


def x509(scene: Scene) -> Case:
    text = b"-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----"
    made = with_signature(raw(scene.repository, commit(scene.repository)), text)
    return Case(write(scene.repository, made), "there is no list of certificates", signers=scene.allowed())


def unknown_kind(scene: Scene) -> Case:
    made = with_signature(raw(scene.repository, commit(scene.repository)), b"yours truly")
    return Case(write(scene.repository, made), "unknown kind", signers=scene.allowed())


def huge(scene: Scene) -> Case:
    text = b"-----BEGIN SSH SIGNATURE-----\n" + b"A" * 10_000_000 + b"\n-----END SSH SIGNATURE-----"
    made = with_signature(raw(scene.repository, commit(scene.repository)), text)
    return Case(write(scene.repository, made), "too long", signers=scene.allowed())


def damaged_armour(scene: Scene) -> Case:
    text = b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----"
    made = with_signature(raw(scene.repository, commit(scene.repository)), text)
    return Case(write(scene.repository, made), "damaged", signers=scene.allowed())


def gpg_good(scene: Scene) -> Case:
    made = commit_signed(scene.repository, scene.people.by_gpg(scene.prints["bob"]))
    keys = scene.people.export(scene.prints["bob"], scene.prints["eva"]).encode()
    return Case(made, "bob <bob@example.com>", keys=keys, good=True)


def gpg_foreign(scene: Scene) -> Case:
    made = commit_signed(scene.repository, scene.people.by_gpg(scene.prints["eva"]))
    return Case(made, "not on the list of OpenPGP keys", keys=scene.people.export(scene.prints["bob"]).encode())


def gpg_expired(scene: Scene) -> Case:
    """git, too, does not ask when the signature was made."""
    by = scene.people.by_gpg(scene.prints["old"], at="20240101T000100")
    made = commit_signed(scene.repository, by, at="2024-01-01T00:01:00+0000")
    return Case(made, "has expired", keys=scene.people.export(scene.prints["old"]).encode())


def gpg_revoked(scene: Scene) -> Case:
    made = commit_signed(scene.repository, scene.people.by_gpg(scene.prints["lost"]))
    scene.people.revoke(scene.prints["lost"])
    return Case(made, "is revoked", keys=scene.people.export(scene.prints["lost"]).encode())


def gpg_tampered(scene: Scene) -> Case:
    made = raw(scene.repository, commit_signed(scene.repository, scene.people.by_gpg(scene.prints["bob"])))
    changed = write(scene.repository, made.replace(b"a change", b"another"))
    return Case(changed, "changed one of the two", keys=scene.people.export(scene.prints["bob"]).encode())


def gpg_without_keys(scene: Scene) -> Case:
    made = commit_signed(scene.repository, scene.people.by_gpg(scene.prints["bob"]))
    return Case(made, "no key can be read", keys=b"not a key at all")


def gpg_two_blocks(scene: Scene) -> Case:
    made = raw(scene.repository, commit_signed(scene.repository, scene.people.by_gpg(scene.prints["bob"])))
    head, _, message = made.partition(b"\n\n")
    start = head.index(b"\ngpgsig ")
    block = head[start + len(b"\ngpgsig ") :].replace(b"\n ", b"\n")
    bare = head[:start] + b"\n\n" + message
    doubled = write(scene.repository, with_signature(bare, block + b"\n" + block))
    return Case(doubled, "damaged", keys=scene.people.export(scene.prints["bob"]).encode())


def gpg_damaged(scene: Scene) -> Case:
    text = b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n=AAAA\n-----END PGP SIGNATURE-----"
    made = with_signature(raw(scene.repository, commit(scene.repository)), text)
    keys = scene.people.export(scene.prints["bob"]).encode()
    return Case(write(scene.repository, made), "OpenPGP signature", keys=keys)


def gpg_inline_message(scene: Scene) -> Case:
    """A signed text of Bob's that anybody may have, put where a detached signature belongs."""
    gpg = ["gpg", "--homedir", str(scene.people.home), "--batch", "--armor", "-u", scene.prints["bob"], "--sign"]
    text = subprocess.run(gpg, input=b"hello", capture_output=True, check=True).stdout
    made = with_signature(raw(scene.repository, commit(scene.repository)), text)
    keys = scene.people.export(scene.prints["bob"]).encode()
    return Case(write(scene.repository, made), "unknown kind", keys=keys)


CASES = [
    value for name, value in list(globals().items()) if getattr(value, "__annotations__", {}).get("return") is Case
]
NOT_GITS = (twice_signed, gpg_two_blocks, huge)  # the last one takes ssh-keygen a minute


def _signed_for(scene: Scene, bare: bytes, namespace: str) -> str:
    file = scene.repository.parent / "payload"
    file.write_bytes(bare)
    scene.people.run(
        "ssh-keygen", "-q", "-Y", "sign", "-f", str(scene.people.folder / "ada"), "-n", namespace, str(file)
    )
    return write(scene.repository, with_signature(bare, file.with_suffix(".sig").read_bytes()))


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_the_verdict_is_gits(made: Callable[[Scene], Case], scene: Scene, tmp_path: Path) -> None:
    case = made(scene)
    lists = Policy(signers=case.signers, keys=case.keys, revoked=case.revoked, demanded=True)
    verdict = verify(parse(case.commit, raw(scene.repository, case.commit)), lists)
    if case.good:
        assert isinstance(verdict, Good), verdict
        assert case.says in verdict.who
    else:
        assert isinstance(verdict, Bad), verdict
        assert case.says in verdict.why
        assert verdict.remedy.endswith(".")
    if made not in NOT_GITS:
        given = {"signers": case.signers, "revoked": case.revoked, "keys": case.keys}
        assert git_says_good(scene.repository, case.commit, given, tmp_path) == case.good


def test_the_fingerprint_of_the_key_is_named(scene: Scene) -> None:
    made = scene.sign("eve")
    lists = Policy(signers=scene.allowed(), keys=None, revoked=None, demanded=True)
    verdict = verify(parse(made, raw(scene.repository, made)), lists)
    assert verdict.key == scene.people.fingerprint("eve")
    by_gpg = commit_signed(scene.repository, scene.people.by_gpg(scene.prints["eva"]))
    keys = scene.people.export(scene.prints["bob"]).encode()
    verdict = verify(parse(by_gpg, raw(scene.repository, by_gpg)), lists._replace(keys=keys))
    assert verdict.key == scene.prints["eva"]
