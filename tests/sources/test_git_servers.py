"""GitRepository against real servers: file, http, https, ssh; who is let in, and what is said when somebody is not."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pygit2
import pytest
from gitserver import PASSPHRASE, Authority, HttpServer, Shop, SshServer, git, http_server

from runner.config import Credentials, RepositoryConfig
from runner.errors import RevisionDoesNotExist, UserError, WorldError
from runner.sources.git import GitRepository, remote

NOBODY = "0123456789" * 4
Open = Callable[..., GitRepository]


@pytest.fixture
def open_(tmp_path: Path) -> Open:
    def make(url: str, ca_file: Path | None = None, **credentials: str) -> GitRepository:
        config = RepositoryConfig(
            name="shop",
            url=url,
            ca_file=str(ca_file) if ca_file else None,
            credentials=Credentials(**credentials) if credentials else None,
        )
        return GitRepository(config, tmp_path / "mirrors" / "shop.git")

    return make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without keys and known hosts, for libgit2 too."""
    before = pygit2.settings.homedir
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    pygit2.settings.homedir = str(folder)
    yield folder
    pygit2.settings.homedir = before or ""


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret-Word")
    return "env:SHOP_PASSWORD"


def said(ask: Callable[[], object]) -> str:
    """What a repository says that cannot be reached."""
    with pytest.raises(WorldError) as caught:
        ask()
    return caught.value.message


def no_secret(message: str) -> bool:
    return "s3cret-Word" not in message and "wrong-Word" not in message


def test_a_folder_is_read_by_path_and_by_file_url(shop: Shop, open_: Open) -> None:
    for url in (str(shop.origin.path), f"file://{shop.origin.path}"):
        repository = open_(url)
        assert repository.heads() == shop.heads
        repository.fetch(shop.second)
        assert repository.read(shop.second, "a") == b"2"


def test_http_needs_one_request_for_the_heads_and_one_more_for_a_commit(
    shop: Shop, http: HttpServer, open_: Open
) -> None:
    repository = open_(f"{http.url}/shop.git")
    http.requests.clear()
    assert repository.heads() == shop.heads
    assert len(http.requests) == 1
    http.requests.clear()
    repository.fetch(shop.second)
    assert [request.split()[0] for request in http.requests] == ["GET", "POST"]
    http.requests.clear()
    repository.fetch(shop.second)
    assert http.requests == []
    assert repository.read(shop.first, "a") == b"1"


def test_a_commit_that_no_ref_names_comes_with_those_that_build_on_it(
    shop: Shop, http: HttpServer, open_: Open
) -> None:
    tagless = git("commit-tree", "-m", "unnamed", f"{shop.first}^{{tree}}", cwd=shop.origin.path)
    later = git("commit-tree", "-m", "later", "-p", tagless, f"{shop.first}^{{tree}}", cwd=shop.origin.path)
    git("update-ref", "refs/heads/later", later, cwd=shop.origin.path)
    try:
        repository = open_(f"{http.url}/shop.git")
        repository.fetch(tagless)
        assert repository.read(tagless, "a") == b"1"
    finally:
        git("update-ref", "-d", "refs/heads/later", cwd=shop.origin.path)


def test_a_commit_that_no_ref_reaches_comes_by_its_id_where_the_server_allows(
    shop: Shop, http: HttpServer, open_: Open
) -> None:
    lost = git("commit-tree", "-m", "lost", f"{shop.first}^{{tree}}", cwd=shop.origin.path)
    repository = open_(f"{http.url}/shop.git")
    with pytest.raises(RevisionDoesNotExist, match=lost):
        repository.fetch(lost)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=shop.origin.path)
    try:
        repository.fetch(lost)
    finally:
        git("config", "--unset", "uploadpack.allowAnySHA1InWant", cwd=shop.origin.path)
    assert repository.read(lost, "a") == b"1"


def test_a_missing_commit_does_not_exist_on_a_server(http: HttpServer, open_: Open) -> None:
    with pytest.raises(RevisionDoesNotExist, match=NOBODY):
        open_(f"{http.url}/shop.git").fetch(NOBODY)


def test_the_right_password_is_let_in(shop: Shop, private_http: HttpServer, open_: Open, password: str) -> None:
    repository = open_(f"{private_http.url}/shop.git", username="ada", password=password)
    assert repository.heads() == shop.heads
    repository.fetch(shop.second)
    assert repository.read(shop.second, "a") == b"2"


def test_a_wrong_password_is_tried_once_and_said_plainly(
    private_http: HttpServer, open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "wrong-Word")
    private_http.requests.clear()
    message = said(open_(f"{private_http.url}/shop.git", username="ada", password="env:SHOP_PASSWORD").heads)
    assert "access refused; tried the password of 'ada'" in message
    assert no_secret(message)
    assert len(private_http.requests) == 2


def test_a_server_that_asks_who_we_are_when_nothing_is_configured(private_http: HttpServer, open_: Open) -> None:
    assert "nothing to answer is configured" in said(open_(f"{private_http.url}/shop.git").heads)


def test_a_password_in_the_url_works_and_is_never_shown(shop: Shop, private_http: HttpServer, open_: Open) -> None:
    url = f"{private_http.url}/shop.git"
    assert open_(url.replace("//", "//ada:s3cret-Word@")).heads() == shop.heads
    for message in (
        said(open_(url.replace("//", "//ada:wrong-Word@")).heads),
        said(open_(url.replace("//", "//ada:s3cret-Word@").replace("shop", "nothing")).heads),
        said(open_("http://ada:s3cret-Word@no-such-host.invalid/x").heads),
    ):
        assert no_secret(message)
        assert "//***@" in message


def test_a_token_in_the_url_is_never_shown(private_http: HttpServer, open_: Open) -> None:
    message = said(open_(f"{private_http.url}/shop.git".replace("//", "//s3cret-Word@")).heads)
    assert "access refused; tried the user name and password in the address" in message
    assert no_secret(message)


@pytest.mark.parametrize("userinfo", ["", "ada:s3cret-Word@"])
def test_a_password_is_not_given_to_a_server_that_we_are_redirected_to(
    shop: Shop, private_http: HttpServer, open_: Open, password: str, userinfo: str
) -> None:
    private_http.authorizations.clear()
    with http_server(shop.folder) as first:
        first.redirect_to = private_http.url.replace("127.0.0.1", "localhost")
        repository = open_(first.url.replace("//", f"//{userinfo}") + "/shop.git", username="ada", password=password)
        assert f"redirected to {first.redirect_to}/shop.git" in said(repository.heads)
    assert private_http.authorizations == []


def test_a_missing_secret_is_the_users_mistake(private_http: HttpServer, open_: Open) -> None:
    with pytest.raises(UserError, match="SHOP_NOWHERE"):
        open_(f"{private_http.url}/shop.git", username="ada", password="env:SHOP_NOWHERE").heads()


def test_a_certificate_of_an_own_authority_is_trusted_by_ca_file_only(
    shop: Shop, https: HttpServer, own_authority: Authority, open_: Open
) -> None:
    url = f"{https.url}/shop.git"
    message = said(open_(url).heads)
    assert "not trusted" in message
    assert "ca_file" in message
    assert open_(url, ca_file=own_authority.ca_file).heads() == shop.heads


def test_a_ca_file_that_is_not_there_is_named(https: HttpServer, open_: Open, tmp_path: Path) -> None:
    assert "nowhere.pem" in said(open_(f"{https.url}/shop.git", ca_file=tmp_path / "nowhere.pem").heads)


def test_an_unknown_host_key_is_refused_with_the_command_that_adds_it(
    ssh: SshServer, shop: Shop, open_: Open, home: Path
) -> None:
    message = said(open_(f"{ssh.url}{shop.origin.path}", private_key=str(ssh.user_key)).heads)
    assert f"ssh-keyscan -p {ssh.port} 127.0.0.1 >> ~/.ssh/known_hosts" in message


def test_a_changed_host_key_is_refused(ssh: SshServer, shop: Shop, open_: Open, home: Path) -> None:
    another = ssh.strange_key.with_suffix(".pub").read_text().split()[:2]
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{ssh.port} {' '.join(another)}\n")
    message = said(open_(f"{ssh.url}{shop.origin.path}", private_key=str(ssh.user_key)).heads)
    assert f"ssh-keygen -R '[127.0.0.1]:{ssh.port}'" in message


def test_a_key_file_opens_an_ssh_server_that_is_known(ssh: SshServer, shop: Shop, open_: Open, home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    repository = open_(f"{ssh.url}{shop.origin.path}", private_key=str(ssh.user_key))
    assert repository.heads() == shop.heads
    repository.fetch(shop.second)
    assert repository.read(shop.second, "a") == b"2"


def test_an_encrypted_key_needs_its_passphrase(
    ssh: SshServer, shop: Shop, open_: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    monkeypatch.setenv("PHRASE", PASSPHRASE)
    monkeypatch.setenv("WRONG", "wrong-Word")
    url, key = f"{ssh.url}{shop.origin.path}", str(ssh.encrypted_key)
    assert open_(url, private_key=key, private_key_passphrase="env:PHRASE").heads() == shop.heads
    message = said(open_(url, private_key=key, private_key_passphrase="env:WRONG").heads)
    assert "passphrase" in message
    assert no_secret(message)


def test_without_a_configured_key_the_usual_key_files_are_tried(
    ssh: SshServer, shop: Shop, open_: Open, home: Path
) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    url = f"{ssh.url}{shop.origin.path}"
    assert "nothing to answer is configured" in said(open_(url).heads)
    (home / ".ssh" / "id_rsa").write_bytes(ssh.user_key.read_bytes())
    assert open_(url).heads() == shop.heads
    assert open_(url.replace(url[6 : url.index("@") + 1], "")).heads() == shop.heads  # the user's own name


def test_a_key_that_is_not_admitted_is_named(ssh: SshServer, shop: Shop, open_: Open, home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    message = said(open_(f"{ssh.url}{shop.origin.path}", private_key=str(ssh.strange_key)).heads)
    assert f"access refused; tried the key {ssh.strange_key}" in message


def test_a_key_file_that_is_missing_is_named(ssh: SshServer, shop: Shop, open_: Open, home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    message = said(open_(f"{ssh.url}{shop.origin.path}", private_key=str(home / "no_key")).heads)
    assert f"{home}/no_key is missing" in message


def test_a_repository_that_is_not_there_is_said_to_be_gone(
    http: HttpServer, ssh: SshServer, open_: Open, home: Path, tmp_path: Path
) -> None:
    (home / ".ssh" / "known_hosts").write_text(ssh.host_key)
    assert "no repository is there" in said(open_(f"{http.url}/gone.git").heads)
    assert "no repository is there" in said(open_(f"{ssh.url}/gone.git", private_key=str(ssh.user_key)).heads)
    assert "there is no such folder" in said(open_(str(tmp_path / "gone.git")).heads)
    assert "there is no such folder" in said(open_(f"file://{tmp_path}/gone.git").heads)


def test_a_folder_that_is_no_repository_is_said_to_be_none(open_: Open, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "no repository is there" in said(open_(str(tmp_path / "plain")).heads)


def test_a_host_without_a_name_and_a_closed_port_are_told_apart(open_: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "cannot be resolved" in said(open_("https://no-such-host.invalid/shop.git").heads)
    for scheme in ("http", "https", "ssh"):
        assert "nothing listens there" in said(open_(f"{scheme}://127.0.0.1:{port}/shop.git").heads)


def test_an_address_of_no_known_kind_is_not_worth_another_try(open_: Open) -> None:
    with pytest.raises(WorldError, match="not supported") as caught:
        open_("gopher://127.0.0.1/shop.git").heads()
    assert not caught.value.retryable


@pytest.mark.parametrize("scheme", ["http", "https", "ssh"])
def test_a_server_that_never_answers_is_given_up(
    scheme: str, open_: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ANSWER_WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert "no answer in time" in said(open_(f"{scheme}://u@127.0.0.1:{listener.getsockname()[1]}/x").heads)


def test_many_threads_fetch_and_read_at_once(shop: Shop, http: HttpServer, open_: Open) -> None:
    repository = open_(f"{http.url}/shop.git")
    together, answers = threading.Barrier(8), []

    def work() -> None:
        together.wait(timeout=30)
        repository.fetch(shop.second)
        answers.append((repository.read(shop.second, "a"), repository.manifests(shop.first)))

    http.requests.clear()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert answers == [(b"2", {"penstock.yaml": "application: shop"})] * 8
    assert len(http.requests) == 2


@pytest.mark.parametrize("protocol_0", [True, False])
def test_a_commit_that_only_a_ref_of_a_pull_request_names_is_fetched_by_that(
    tmp_path: Path, open_: Open, protocol_0: bool
) -> None:
    """As Bitbucket Data Center keeps what comes from a fork."""
    shop = Shop(tmp_path / "root")
    foreign = shop.origin.commit({"a": "3"}, branch="topic")
    git("update-ref", "refs/pull-requests/7/from", foreign, cwd=shop.origin.path)
    git("update-ref", "-d", "refs/heads/topic", cwd=shop.origin.path)
    with http_server(tmp_path / "root") as server:
        server.protocol_0 = protocol_0
        repository = open_(f"{server.url}/shop.git")
        repository.fetch(foreign)
        assert repository.commit(foreign).id == foreign
        assert repository.heads() == shop.heads
