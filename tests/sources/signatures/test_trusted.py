"""Where the lists of signers come from: the protected branch, and never the commit that is judged."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificate_signers import Certified, by_openssl, certified, revocation_list
from commit_signers import Signers, commit_signed, signers
from local_git import commit, git, new_repository

from runner.config import RepositoryConfig, SignaturesConfig
from runner.errors import InvalidRevision, WorldError
from runner.model.revision import GitHubRevision, GitRevision
from runner.sources.all import AllSources

LIST = ".penstock/allowed_signers"


@pytest.fixture(scope="module")
def people() -> Iterator[Signers]:
    with signers() as made:
        for name in ("ada", "bob", "eve"):
            made.ssh(name)
        yield made


class World:
    """A remote with a list of signers on main, and sources that demand signatures of it."""

    def __init__(self, people: Signers, folder: Path, *, required: bool = True) -> None:
        self.people, self.folder = people, folder
        self.remote = new_repository(folder / "shop")
        config = SignaturesConfig(branch="main", required=required)
        self.configured = RepositoryConfig(name="shop", url=str(self.remote), github="ada/shop", signatures=config)
        self.sources = self.process()

    def process(self) -> AllSources:
        """Another process on the same state folder."""
        return AllSources([self.configured], self.folder / "state")

    def allow(self, *names: str) -> None:
        """Write the list, and do not commit it."""
        path = self.remote / LIST
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{name}@example.com {self.people.public(name)}\n" for name in names))

    def push(self, by: str | None, content: str | None = None) -> str:
        """Commit what is in the work tree, signed *by* somebody or nobody."""
        if content is not None:
            (self.remote / "file").write_text(content)
        git(self.remote, "add", "--all")
        return commit_signed(self.remote, self.people.by_ssh(by)) if by else commit(self.remote)

    def judge(self, commit_id: str) -> bool:
        self.sources.repository("shop").fetch(commit_id)
        return self.sources.judge("shop", commit_id)

    def refused(self, commit_id: str) -> str:
        with pytest.raises(InvalidRevision) as caught:
            self.judge(commit_id)
        assert commit_id[:10] in caught.value.message
        return caught.value.message


@pytest.fixture
def world(people: Signers, tmp_path: Path) -> World:
    made = World(people, tmp_path)
    made.allow("ada")
    made.push("ada")
    return made


def test_whoever_is_listed_may_sign_and_nobody_else(world: World) -> None:
    assert world.judge(world.push("ada", "1"))
    assert f"not on the list of signers, or not valid at the commit's time (key {world.people.fingerprint('eve')})" in (
        world.refused(world.push("eve", "2"))
    )
    assert "it is not signed" in world.refused(world.push(None, "3"))


def test_nobody_allows_himself_in_the_commit_that_is_judged(world: World) -> None:
    world.allow("ada", "eve")
    assert "not on the list" in world.refused(world.push("eve"))


def test_nobody_allows_himself_in_the_commit_before(world: World) -> None:
    world.judge(world.push("ada", "1"))
    world.allow("ada", "eve")
    world.push("eve")
    assert "not on the list" in world.refused(world.push("eve", "2"))
    world.push(None, "3")
    assert "not on the list" in world.refused(world.push("eve", "4"))


def test_a_signer_allows_another_from_the_next_commit_on(world: World) -> None:
    world.judge(world.push("ada", "1"))
    world.allow("ada", "bob")
    world.push("ada")
    world.allow("bob")
    world.push("bob")  # both in one push, between two looks
    assert world.judge(world.push("bob", "2"))
    assert "not on the list" in world.refused(world.push("ada", "3"))


def test_a_commit_of_another_branch_is_judged_by_the_protected_one(world: World) -> None:
    git(world.remote, "checkout", "--quiet", "-b", "release")
    world.allow("eve")
    assert "not on the list" in world.refused(world.push("eve"))
    assert world.judge(world.push("ada", "1"))
    git(world.remote, "checkout", "--quiet", "main")


def test_what_counts_is_known_to_the_next_process(world: World) -> None:
    world.judge(world.push("ada", "1"))
    world.allow("eve")
    world.push("eve")
    world.sources = world.process()
    assert "not on the list" in world.refused(world.push("eve", "2"))


def test_rewriting_the_protected_branch_changes_no_list(world: World) -> None:
    world.judge(world.push("ada", "1"))
    git(world.remote, "checkout", "--quiet", "--orphan", "other")
    world.allow("eve")
    world.push("eve")
    git(world.remote, "branch", "--force", "main", "other")
    git(world.remote, "checkout", "--quiet", "main")
    assert "not on the list" in world.refused(world.push("eve", "2"))
    assert world.judge(world.push("ada", "3"))


def test_an_older_state_of_the_protected_branch_brings_no_key_back(world: World) -> None:
    before = world.push("ada", "1")
    world.judge(before)
    world.allow("bob")
    world.push("ada")
    world.judge(world.push("bob", "2"))
    git(world.remote, "reset", "--quiet", "--hard", before)
    assert "not on the list" in world.refused(world.push("ada", "3"))


def test_the_first_commit_of_all_cannot_bring_its_own_list(people: Signers, tmp_path: Path) -> None:
    world = World(people, tmp_path)
    world.allow("ada")
    assert "cannot bring the lists" in world.refused(world.push("ada"))
    assert world.judge(world.push("ada", "1"))


def test_without_any_list_everything_is_refused(people: Signers, tmp_path: Path) -> None:
    world = World(people, tmp_path)
    world.push("ada", "1")
    assert f"Push {LIST}, .penstock/allowed_keys.asc or .penstock/allowed_certificates.pem there" in world.refused(
        world.push("ada", "2")
    )


def test_a_protected_branch_that_is_missing_is_told(world: World) -> None:
    head = world.push("ada", "1")
    git(world.remote, "checkout", "--quiet", "-b", "trunk")
    git(world.remote, "branch", "--quiet", "-D", "main")
    world.sources.repository("shop").fetch(head)
    with pytest.raises(InvalidRevision, match="branch main of shop, and there is no such branch"):
        world.sources.judge("shop", head)


def test_a_list_that_is_far_too_long_is_refused(world: World) -> None:
    line = f"ada@example.com {world.people.public('ada')}\n"
    (world.remote / LIST).write_text(line * 100_000)
    world.push("ada")
    with pytest.raises(InvalidRevision, match="a list of signers may have 4194304"):
        world.judge(world.push("ada", "1"))


def test_the_longest_list_is_searched_in_time(world: World) -> None:
    names = "".join(f"p{number}@example.com {world.people.public('eve')}\n" for number in range(35_000))
    (world.remote / LIST).write_text(names + f"ada@example.com {world.people.public('ada')}\n")
    world.push("ada")
    assert world.judge(world.push("ada", "1"))


def test_names_on_the_list_are_never_options_or_lines(world: World) -> None:
    evil = f'"-s\\nx@example.com",--help {world.people.public("ada")}\n'
    (world.remote / LIST).write_text(evil + f"-n {world.people.public('ada')}\n")
    world.push("ada")
    assert world.judge(world.push("ada", "1"))
    assert "not on the list" in world.refused(world.push("eve", "2"))


def test_manifests_may_leave_it_open_or_demand_it(people: Signers, tmp_path: Path) -> None:
    world = World(people, tmp_path, required=False)
    world.allow("ada")
    world.push("ada")
    assert not world.judge(world.push(None, "1"))
    (world.remote / "penstock.yaml").write_text("application: web\nsigned: required\n")
    world.push("ada")
    assert "it is not signed" in world.refused(world.push(None, "2"))
    (world.remote / "penstock.yaml").write_text("application: web\n")
    assert "it is not signed" in world.refused(world.push(None))
    assert "it is not signed" in world.refused(world.push(None, "3"))
    (world.remote / "file").write_text("4")
    world.push("ada")  # a signer takes the demand back
    assert not world.judge(world.push(None, "5"))


def test_whoever_names_a_commit_it_is_not_deployed_unsigned(world: World) -> None:
    good, bad = world.push("ada", "1"), world.push(None, "2")
    assert world.sources.fetch(GitRevision(repository="shop", commit_id=good)).size
    for revision in (
        GitRevision(repository="shop", commit_id=bad),
        GitHubRevision(repository="ada/shop", commit_id=bad),
    ):
        with pytest.raises(InvalidRevision, match="it is not signed"):
            world.sources.fetch(revision)
        with pytest.raises(InvalidRevision, match="it is not signed"):
            world.sources.document(revision, "file")


def test_what_was_accepted_stays_deployable_when_its_key_goes(world: World) -> None:
    good = world.push("ada", "1")
    world.judge(good)
    world.allow("bob")
    world.push("ada")
    world.judge(world.push("bob", "2"))
    assert world.process().fetch(GitRevision(repository="shop", commit_id=good)).size
    assert "not on the list" in world.refused(good)


def test_a_missing_tool_is_named_and_waited_for(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = world.push("ada", "1")
    (tmp_path / "empty").mkdir()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path / "empty"))
        with pytest.raises(WorldError, match=r"ssh-keygen is missing .* apt-get install openssh-client") as caught:
            world.judge(head)
    assert caught.value.retryable
    assert world.judge(head)


def test_a_tool_that_hangs_is_ended(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = world.push("ada", "1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh-keygen").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "bin" / "ssh-keygen").chmod(0o755)
    with monkeypatch.context() as slow:
        slow.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        slow.setattr("runner.sources.signatures.tools.LONGEST", 0.2)
        with pytest.raises(WorldError, match="did not end within"):
            world.judge(head)


def test_openpgp_keys_of_the_protected_branch_count_beside_ssh_keys(world: World) -> None:
    bob, eva = world.people.gpg("bob"), world.people.gpg("eva")
    (world.remote / ".penstock" / "allowed_keys.asc").write_text(world.people.export(bob))
    world.push("ada")
    by_bob = commit_signed(world.remote, world.people.by_gpg(bob))
    assert world.judge(by_bob)
    assert f"not on the list of OpenPGP keys (key {eva})" in (
        world.refused(commit_signed(world.remote, world.people.by_gpg(eva)))
    )
    assert world.judge(world.push("ada", "1"))


class House:
    """An authority on the list of *world*, with Ada below it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.root = certified("House", authority=True)
        self.ada, self.eve = (certified(name, self.root, address=f"{name}@example.com") for name in ("ada", "eve"))
        self.write("allowed_certificates", f"signers: ada@example.com\n{self.root.pem}")

    def write(self, name: str, text: str) -> None:
        (self.world.remote / ".penstock" / f"{name}.pem").write_text(text)

    def push(self, who: Certified) -> str:
        git(self.world.remote, "add", "--all")
        return commit_signed(self.world.remote, by_openssl(self.world.folder, who))


@pytest.fixture
def house(world: World) -> House:
    made = House(world)
    world.push("ada")
    return made


def test_certificates_of_the_protected_branch_count_beside_ssh_keys(world: World, house: House) -> None:
    assert world.judge(house.push(house.ada))
    assert "does not admit 'eve@example.com'" in world.refused(house.push(house.eve))
    assert f"(key certificate {house.eve.fingerprint})" in world.refused(house.push(house.eve))
    assert world.judge(world.push("ada", "1"))


def test_a_list_of_certificates_alone_is_enough(world: World, house: House) -> None:
    (world.remote / LIST).unlink()
    world.push("ada")
    assert world.judge(house.push(house.ada))
    assert "no list of SSH signers" in world.refused(world.push("ada", "1"))


def test_nobody_admits_his_own_authority(world: World, house: House) -> None:
    world.judge(world.push("ada", "1"))
    other = certified("Other", authority=True)
    eve = certified("eve", other, address="ada@example.com")
    house.write("allowed_certificates", f"signers: *@*\n{other.pem}")
    house.push(eve)
    assert "neither on the list of certificates" in world.refused(house.push(eve))
    assert world.judge(house.push(house.ada))


def test_a_fresh_revocation_list_counts_whoever_commits_it(world: World, house: House) -> None:
    """Else nobody could sign the commit that renews a list which has run out."""
    house.write("revoked_certificates", revocation_list(house.root, from_days=-9, to_days=-1))
    world.push("ada")
    assert "out of date" in world.refused(house.push(house.ada))
    house.write("revoked_certificates", revocation_list(house.root))
    assert world.judge(house.push(house.ada))
    house.write("revoked_certificates", revocation_list(house.root, house.ada, from_days=-0.5))
    world.push(None)
    assert "is revoked" in world.refused(house.push(house.ada))


def test_whoever_can_push_takes_no_revocation_back_and_shuts_nobody_out(world: World, house: House) -> None:
    house.write("allowed_certificates", f"signers: *@example.com\n{house.root.pem}")
    house.write("revoked_certificates", revocation_list(house.root, house.eve))
    world.push("ada")
    by_ada = house.push(house.ada)
    world.judge(by_ada)
    begin = "-----BEGIN X509 CRL-----\n"
    older = revocation_list(house.root, from_days=-3)
    for text in ("", house.ada.pem, older, begin * 160_000, begin * 200_000):  # the last one is too long
        house.write("revoked_certificates", text)
        world.push(None)
        assert "is revoked" in world.refused(house.push(house.eve))
        assert world.judge(by_ada)


def test_an_openssl_that_is_missing_or_too_old_is_named_and_waited_for(
    world: World, house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    head = house.push(house.ada)
    tools = tmp_path / "bin"
    tools.mkdir()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tools))
        with pytest.raises(WorldError, match=r"openssl is missing .* apt-get install openssl\)"):
            world.judge(head)
        (tools / "openssl").write_text(
            f'#!/bin/sh\n[ $1 = verify ] || exec {shutil.which("openssl", path=os.defpath)} "$@"\n'
            "echo verify: Use -help for summary. >&2\nexit 1\n"
        )
        (tools / "openssl").chmod(0o755)
        with pytest.raises(WorldError, match=r"too old; install version 3\.0"):
            world.judge(head)
    assert world.judge(head)


def test_nothing_is_left_behind_by_a_verification(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither files nor an agent, which would have its socket there."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    bob = world.people.gpg("bo")
    (world.remote / ".penstock" / "allowed_keys.asc").write_text(world.people.export(bob))
    world.push("ada")
    assert world.judge(commit_signed(world.remote, world.people.by_gpg(bob)))
    assert list(place.iterdir()) == []


def test_a_private_key_on_the_list_of_keys_starts_no_agent(world: World) -> None:
    """Somebody has exported the wrong half; the public one is part of it."""
    cy = world.people.gpg("cy")
    secret = world.people.run(
        "gpg", "--homedir", str(world.people.home), "--batch", "--armor", "--export-secret-keys", cy
    )
    (world.remote / ".penstock" / "allowed_keys.asc").write_text(secret)
    world.push("ada")
    assert world.judge(commit_signed(world.remote, world.people.by_gpg(cy)))
    assert _agents() == set()


def _agents() -> set[str]:
    """Agents that a verification has started."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "gpg-agent" in command and "penstock-signature-" in command:
            found.add(f"{each.parent.name} {command}")
    return found
