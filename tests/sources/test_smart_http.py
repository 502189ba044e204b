"""Heads by one small request on a kept connection: the same as libgit2 gives, from real servers and from bad ones."""

import asyncio
import base64
import datetime as dt
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gitserver import Authority, HttpServer, Shop, git, http_server

from runner.config import Credentials, RepositoryConfig
from runner.errors import Throttled, UserError, WorldError
from runner.sources.git import GitRepository, remote
from runner.sources.git.http import SmartHttp, connection
from runner.sources.git.ls_refs import Refs

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def config(url: str, ca_file: Path | None = None, name: str = "shop", **credentials: str) -> RepositoryConfig:
    return RepositoryConfig(
        name=name,
        url=url,
        branches=("**",),
        tags=("**",),
        ca_file=str(ca_file) if ca_file else None,
        credentials=Credentials(**credentials) if credentials else None,
    )


@asynccontextmanager
async def client(clock: Callable[[], dt.datetime] = lambda: NOW) -> AsyncIterator[SmartHttp]:
    servers = SmartHttp(clock)
    try:
        yield servers
    finally:
        servers.close()
        await asyncio.sleep(0)


async def asked(given: RepositoryConfig) -> Refs | None:
    async with client() as servers:
        refs = servers.of(given)
        assert refs is not None
        async with asyncio.timeout(60):
            return await refs.ask()


async def heads(given: RepositoryConfig) -> dict[str, str]:
    answer = await asked(given)
    assert answer is not None
    return answer.heads()


async def said(given: RepositoryConfig) -> str:
    with pytest.raises(WorldError) as caught:
        await asked(given)
    assert "s3cret-Word" not in caught.value.message
    assert "wrong-Word" not in caught.value.message
    return caught.value.message


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret-Word")
    return "env:SHOP_PASSWORD"


async def test_a_poll_is_one_request_once_the_server_is_known(shop: Shop, http: HttpServer) -> None:
    async with client() as servers:
        refs = servers.of(config(f"{http.url}/shop.git"))
        assert refs is not None
        http.requests.clear()
        first = await refs.ask()
        assert first is not None
        assert first.heads() == shop.heads
        assert [each.split()[0] for each in http.requests] == ["GET", "POST"]
        http.requests.clear()
        second = await refs.ask()
        assert second is not None
        assert second.digest == first.digest
        assert http.requests == ["POST /shop.git/git-upload-pack"]


async def test_polls_one_after_the_other_share_a_connection(shop: Shop, http: HttpServer) -> None:
    async with client() as servers:
        for _ in range(3):
            refs = servers.of(config(f"{http.url}/shop.git"))
            assert refs is not None
            await refs.ask()
        (host,) = servers._hosts.values()
        assert len(host._open) == 1


async def test_the_digest_changes_with_a_push(shop: Shop, http: HttpServer) -> None:
    given = config(f"{http.url}/shop.git")
    before = await asked(given)
    git("update-ref", "refs/heads/another", shop.first, cwd=shop.origin.path)
    try:
        after = await asked(given)
    finally:
        git("update-ref", "-d", "refs/heads/another", cwd=shop.origin.path)
    assert before is not None
    assert after is not None
    assert before.digest != after.digest
    assert after.heads() == {**shop.heads, "refs/heads/another": shop.first}


async def test_only_refs_that_may_be_selected_are_sent(shop: Shop, http: HttpServer) -> None:
    given = RepositoryConfig(name="shop", url=f"{http.url}/shop.git", branches=("none*",), tags=("v*",))
    assert await heads(given) == {"refs/tags/v1": shop.first}


async def test_https_with_an_authority_of_our_own(shop: Shop, https: HttpServer, own_authority: Authority) -> None:
    url = f"{https.url}/shop.git"
    assert await heads(config(url, own_authority.ca_file)) == shop.heads
    message = await said(config(url))
    assert "not trusted" in message
    assert "ca_file" in message


async def test_a_ca_file_that_is_not_there_is_named(https: HttpServer, tmp_path: Path) -> None:
    assert "nowhere.pem" in await said(config(f"{https.url}/shop.git", tmp_path / "nowhere.pem"))


async def test_a_certificate_for_another_name_is_not_trusted(https: HttpServer, own_authority: Authority) -> None:
    url = https.url.replace("127.0.0.1", "localhost")
    assert "the certificate of localhost is not trusted" in await said(config(f"{url}/shop.git", own_authority.ca_file))


async def test_the_right_password_is_let_in(shop: Shop, private_http: HttpServer, password: str) -> None:
    url = f"{private_http.url}/shop.git"
    assert await heads(config(url, username="ada", password=password)) == shop.heads
    assert await heads(config(url.replace("//", "//ada:s3cret-Word@"))) == shop.heads
    assert await heads(config(url.replace("//", "//ada@"), password=password)) == shop.heads


async def test_credentials_are_tried_in_turn(shop: Shop, private_http: HttpServer, password: str) -> None:
    url = f"{private_http.url}/shop.git".replace("//", "//ada:wrong-Word@")
    assert await heads(config(url, username="ada", password=password)) == shop.heads


async def test_who_is_not_let_in_is_told_what_was_tried(
    private_http: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "wrong-Word")
    url = f"{private_http.url}/shop.git"
    wrong = await said(config(url, username="ada", password="env:SHOP_PASSWORD"))
    assert "access refused; tried the password of 'ada'" in wrong
    assert "nothing to answer is configured" in await said(config(url))
    token = await said(config(url.replace("//", "//s3cret-Word@")))
    assert "tried the user name and password in the address" in token
    assert "//***@" in token


async def test_a_missing_secret_is_the_users_mistake(private_http: HttpServer) -> None:
    with pytest.raises(UserError, match="SHOP_NOWHERE"):
        await asked(config(f"{private_http.url}/shop.git", username="ada", password="env:SHOP_NOWHERE"))


async def test_a_repository_that_is_not_there(http: HttpServer) -> None:
    assert "no repository is there" in await said(config(f"{http.url}/gone.git"))


async def test_a_redirection_within_the_server_is_followed_and_remembered(shop: Shop, http: HttpServer) -> None:
    async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_request(reader):
            line = head.split(b" ")[1].decode()
            if line.startswith("/old"):
                writer.write(reply(301, [("Location", line.replace("/old", "/new"))], b""))
            elif line.startswith("/new/info"):
                writer.write(reply(200, [], ADVERTISED))
            else:
                seen.append(line)
                writer.write(reply(200, [], ANSWER))

    seen: list[str] = []
    async with stub(moved) as url:
        assert await heads(config(f"{url}/old")) == {"refs/heads/main": "a" * 40}
    assert seen == ["/new/git-upload-pack"]


async def test_another_server_to_which_we_are_sent_gets_no_request(shop: Shop, private_http: HttpServer) -> None:
    private_http.requests.clear()
    with http_server(shop.folder) as first:
        first.redirect_to = private_http.url.replace("127.0.0.1", "localhost")
        message = await said(config(f"{first.url}/shop.git".replace("//", "//ada:s3cret-Word@")))
        assert f"redirected to {first.redirect_to}/shop.git; if you trust it, configure that address" in message
    assert private_http.requests == []


# A server whose answers the test writes.

ADVERTISED = b"000eversion 2\n000cls-refs\n0000"
ANSWER = b"003d" + b"a" * 40 + b" refs/heads/main\n0000"


def reply(status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Said",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """The head of the next request, its body read; nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return head


@asynccontextmanager
async def stub(server: Server) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve() -> None:
            try:
                await server(reader, writer)
            finally:
                writer.close()

        tasks.add(asyncio.create_task(serve()))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def scripted(*answers: bytes) -> tuple[Server, list[bytes]]:
    """Gives one answer after the other, the last one for ever. Second: the requests."""
    left, requests = list(answers), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_request(reader):
            requests.append(head)
            writer.write(left.pop(0) if len(left) > 1 else left[0])

    return serve, requests


async def test_a_password_that_was_changed_meanwhile_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ["s3cret-Word"]

    async def private(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_request(reader):
            expected = base64.b64encode(f"ada:{right[0]}".encode())
            if b"Authorization: Basic " + expected not in head:
                writer.write(reply(401, [("WWW-Authenticate", "Basic")], b""))
            else:
                writer.write(reply(200, [], ADVERTISED if head.startswith(b"GET") else ANSWER))

    monkeypatch.setenv("SHOP_PASSWORD", right[0])
    async with stub(private) as url, client() as servers:
        refs = servers.of(config(f"{url}/shop.git", username="ada", password="env:SHOP_PASSWORD"))
        assert refs is not None
        assert await refs.ask()
        right[0] = "new-Word"
        with pytest.raises(WorldError, match="access refused; tried the password of 'ada'"):
            await refs.ask()
        monkeypatch.setenv("SHOP_PASSWORD", right[0])
        assert await refs.ask()
        right[0] = "newer-Word"
        monkeypatch.setenv("SHOP_PASSWORD", right[0])
        assert await refs.ask()  # in one poll


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(403, [], b""), "access refused"),
        (reply(500, [], b""), r"in trouble \(status 500\)"),
        (reply(502, [], b""), r"in trouble \(status 502\)"),
        (reply(301, [], b""), r"not git's \(status 301\)"),
        (reply(302, [("Location", "/login")], b""), "does it want us to log in"),
        (reply(301, [("Location", "/x/info/refs?service=git-upload-pack")], b""), "one address to the next"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
    ],
)
async def test_a_bad_answer_is_said_plainly(answer: bytes, message: str) -> None:
    async with stub(scripted(answer)[0]) as url:
        with pytest.raises(WorldError, match=message) as caught:
            await asked(config(f"{url}/shop.git"))
        assert caught.value.retryable


@pytest.mark.parametrize("advertised", [b"001e# service=git-upload-pack\n0000" + ADVERTISED, ADVERTISED])
async def test_a_server_may_name_its_service_first(advertised: bytes) -> None:
    async with stub(scripted(reply(200, [], advertised), reply(200, [], ANSWER))[0]) as url:
        assert await heads(config(f"{url}/shop.git")) == {"refs/heads/main": "a" * 40}


@pytest.mark.parametrize(
    "advertised",
    [
        b"001e# service=git-upload-pack\n0000003f" + b"a" * 40 + b" refs/heads/main\0\n0000",
        b"000eversion 1\n0000",
        b"000eversion 2\n000cls-refs\n001aobject-format=sha256\n0000",
        b"000eversion 2\n000afetch\n0000",
        b"<html>who are you?</html>",
        b"",
    ],
)
async def test_a_server_that_speaks_something_else_is_asked_what_it_speaks_once(advertised: bytes) -> None:
    server, requests = scripted(reply(200, [], advertised))
    async with stub(server) as url, client() as servers:
        refs = servers.of(config(f"{url}/shop.git"))
        assert refs is not None
        assert await refs.ask() is None
        assert await refs.ask() is None
    assert len(requests) == 1


async def test_an_error_of_git_is_passed_on() -> None:
    error = b"ERR access denied or repository not exported"
    packet = b"%04x" % (len(error) + 4) + error
    async with stub(scripted(reply(200, [], ADVERTISED), reply(200, [], packet))[0]) as url:
        assert "the server says: access denied or repository not exported" in await said(config(f"{url}/shop.git"))


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, [("Retry-After", "90")], 90),
        (429, [], 60),
        (403, [("Retry-After", "Tue, 01 Jan 2030 00:02:00 GMT")], 120),
        (403, [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(NOW.timestamp()) + 30))], 30),
        (503, [("Retry-After", "100000")], 3600),
    ],
)
async def test_a_pause_that_a_server_asks_for_holds_for_all_its_repositories(
    status: int, headers: list[tuple[str, str]], seconds: int
) -> None:
    now = [NOW]
    server, requests = scripted(reply(200, [], ADVERTISED), reply(status, headers, b""), reply(200, [], ANSWER))
    async with stub(server) as url, client(lambda: now[0]) as servers:
        one, other = (servers.of(config(f"{url}/{name}", name=name)) for name in ("one", "other"))
        assert one is not None
        assert other is not None
        with pytest.raises(Throttled, match=f"repository one .* wait for {seconds} s") as caught:
            await one.ask()
        assert caught.value.wait == dt.timedelta(seconds=seconds)
        now[0] += dt.timedelta(seconds=seconds - 1)
        with pytest.raises(Throttled, match=r"repository other .* wait for 1 s"):
            await other.ask()
        assert len(requests) == 2
        now[0] += dt.timedelta(seconds=1)
        assert await one.ask()


async def test_a_connection_that_was_closed_while_it_was_idle_is_made_anew() -> None:
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        head = await read_request(reader)
        writer.write(reply(200, [], ADVERTISED if head.startswith(b"GET") else ANSWER))

    async with stub(once) as url, client() as servers:
        refs = servers.of(config(f"{url}/shop.git"))
        assert refs is not None
        for _ in range(3):
            assert await refs.ask()
    assert connections == 4


async def test_answers_in_every_framing_are_understood() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ANSWER[:10], ANSWER[10:])) + b"0\r\n\r\n"
    chunked = interim + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    async with stub(scripted(reply(200, [], ADVERTISED), chunked)[0]) as url:
        assert await heads(config(f"{url}/shop.git")) == {"refs/heads/main": "a" * 40}

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_request(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (ADVERTISED if head.startswith(b"GET") else ANSWER))

    async with stub(until_closed) as url:
        assert await heads(config(f"{url}/shop.git")) == {"refs/heads/main": "a" * 40}


async def test_twenty_thousand_refs_are_read() -> None:
    lines = (b"%040x refs/heads/topic-%d" % (number, number) for number in range(20_000))
    refs = b"".join(b"%04x%s\n" % (len(line) + 5, line) for line in lines) + b"0000"
    async with stub(scripted(reply(200, [], ADVERTISED), reply(200, [], refs))[0]) as url:
        found = await heads(config(f"{url}/shop.git"))
    assert len(found) == 20_000
    assert found["refs/heads/topic-19999"] == f"{19999:040x}"


async def test_an_answer_that_is_cut_off_or_too_long_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply(200, [], ADVERTISED)[:-3])

    async with stub(cut) as url:
        assert "closed the connection before" in await said(config(f"{url}/shop.git"))
    monkeypatch.setattr(connection, "LONGEST", 100)
    async with stub(scripted(reply(200, [], b"x" * 200))[0]) as url:
        assert "more than" in await said(config(f"{url}/shop.git"))


async def test_a_server_that_hangs_is_given_up_and_its_connection_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_WITHIN", 0.2)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()  # until we are given up

    async with stub(hang) as url, client() as servers:
        refs = servers.of(config(f"{url}/shop.git"))
        assert refs is not None
        with pytest.raises(WorldError, match="no answer in time"):
            await refs.ask()
        (host,) = servers._hosts.values()
        assert not host._open
        assert not host._idle


async def test_a_server_that_never_shakes_hands_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CONNECT_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert "no answer in time" in await said(config(f"https://127.0.0.1:{listener.getsockname()[1]}/shop.git"))


async def test_a_closed_port_and_a_host_without_a_name_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "nothing listens there" in await said(config(f"http://127.0.0.1:{port}/shop.git"))
    assert "cannot be resolved" in await said(config("https://no-such-host.invalid/shop.git"))


async def test_no_more_connections_than_allowed_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = most = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            while head := await read_request(reader):
                await asyncio.sleep(0)
                writer.write(reply(200, [], ADVERTISED if head.startswith(b"GET") else ANSWER))
        finally:
            at_once -= 1

    async with stub(slow) as url, client() as servers:
        many = [servers.of(config(f"{url}/{number}", name=str(number))) for number in range(200)]
        answers = await asyncio.gather(*(each.ask() for each in many if each))
    assert len([each for each in answers if each]) == 200
    assert most == 32


@pytest.mark.parametrize(
    "url",
    ["/srv/shop.git", "file:///srv/shop.git", "ssh://git@h/x", "git@h:x", "https://h/a b", "https://h:x/", "http:///x"],
)
async def test_other_addresses_are_left_to_libgit2(url: str) -> None:
    async with client() as servers:
        assert servers.of(config(url)) is None


async def test_what_is_behind_a_proxy_is_left_to_libgit2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "inside.example")
    async with client() as servers:
        assert servers.of(config("https://git.example/shop.git")) is None
        assert servers.of(config("https://inside.example/shop.git")) is not None
        assert servers.of(config("http://git.example/shop.git")) is not None


async def test_a_server_of_protocol_0_alone_is_left_to_libgit2(shop: Shop, tmp_path: Path) -> None:
    with http_server(shop.folder) as server:
        server.protocol_0 = True
        given = config(f"{server.url}/shop.git")
        assert await asked(given) is None
        assert await asyncio.to_thread(GitRepository(given, tmp_path / "mirror.git").heads) == shop.heads
