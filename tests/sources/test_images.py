"""Images of containers, from tag to digest: a real registry, open and with tokens; ECR by a real moto server."""

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from registry import Registry, running_registry, running_registry_with_tokens
from s3_proxy import Proxy

from runner.config import RegistryConfig
from runner.errors import InvalidRevision, RevisionDoesNotExist, UserError, WorldError
from runner.model.revision import ImageLocation, ImageRevision
from runner.sources.all import AllSources
from runner.sources.images import parse

ECR = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def sources(tmp_path: Path) -> AllSources:
    return AllSources((), tmp_path)


def resolved(sources: AllSources, repository: str, tag: str) -> ImageRevision:
    return sources.resolve_image(ImageLocation(repository=repository, tag=tag), "shop", "1" * 40, "api")


def test_a_tag_becomes_the_digest_that_the_registry_gave_the_image(sources: AllSources, registry: Registry) -> None:
    pushed = registry.push("shop/api", "1.0")
    revision = resolved(sources, f"{registry.address}/shop/api", "1.0")
    assert revision.image == f"{registry.address}/shop/api@{pushed}"
    assert (revision.tag, revision.git, revision.root, revision.commit_id) == ("1.0", "shop", "api", "1" * 40)


def test_a_tag_that_moves_changes_no_revision_that_was_made(sources: AllSources, registry: Registry) -> None:
    registry.push("shop/moving", "latest")
    before = resolved(sources, f"{registry.address}/shop/moving", "latest")
    registry.push("shop/moving", "latest")
    after = resolved(sources, f"{registry.address}/shop/moving", "latest")
    assert before.image != after.image


@pytest.mark.parametrize("missing", ["shop/nothing:1.0", "shop/there:2.0"])
def test_an_image_that_is_not_there_does_not_exist(sources: AllSources, registry: Registry, missing: str) -> None:
    registry.push("shop/there", "1.0")
    repository, tag = missing.split(":")
    with pytest.raises(RevisionDoesNotExist, match=r"there is no image .*; was it pushed\?"):
        resolved(sources, f"{registry.address}/{repository}", tag)


def test_a_registry_that_wants_a_token_is_asked_with_the_one_that_it_gives(sources: AllSources, tmp_path: Path) -> None:
    with running_registry_with_tokens(tmp_path, "shop/api") as registry:
        pushed = registry.push("shop/api", "1.0")
        assert resolved(sources, f"{registry.address}/shop/api", "1.0").digest == pushed
        assert registry.tokens is not None
        assert registry.tokens.asked == [{"scope": ["repository:shop/api:pull"], "service": ["tests"]}]
        registry.push("shop/secret", "1.0")
        with pytest.raises(WorldError, match=r"access to .*/shop/secret:1\.0 was denied"):
            resolved(sources, f"{registry.address}/shop/secret", "1.0")


def test_a_registry_of_private_images_is_asked_with_the_password_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_registry_with_tokens(tmp_path) as registry:
        pushed = registry.push("shop/secret", "1.0")
        login = RegistryConfig(host=registry.address, username="ada", password="env:REGISTRY")
        sources = AllSources((), tmp_path, registries=[login])
        with pytest.raises(UserError, match="REGISTRY is not set"):
            resolved(sources, f"{registry.address}/shop/secret", "1.0")
        monkeypatch.setenv("REGISTRY", "s3cret:Word")
        assert resolved(sources, f"{registry.address}/shop/secret", "1.0").digest == pushed
        monkeypatch.setenv("REGISTRY", "an0ther")
        with pytest.raises(WorldError, match="Is the password right") as caught:
            resolved(sources, f"{registry.address}/shop/secret", "1.0")
        assert "an0ther" not in str(caught.value)


def test_a_registry_that_wants_the_password_itself_gets_it_and_no_other_one_does(
    odd: "Odd", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY", "s3cret:Word")
    login = RegistryConfig(host=odd.address, username="ada", password="env:REGISTRY")
    sources = AllSources((), tmp_path, registries=[login])
    odd.answers[PATH] = (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    with pytest.raises(WorldError, match="was denied"):
        resolved(sources, f"{odd.address}/shop", "1.0")
    assert [seen[2] for seen in odd.seen] == [None, "Basic YWRhOnMzY3JldDpXb3Jk"]
    with pytest.raises(WorldError, match=r"was denied .*needs \[registries\."):
        other = [RegistryConfig(host="registry.example.com", username="ada", password="env:REGISTRY")]
        resolved(AllSources((), tmp_path, registries=other), f"{odd.address}/shop", "1.0")
    assert odd.seen[-1][2] is None


def test_docker_hub_is_one_registry_by_two_names() -> None:
    hub = {parse(f"{host}/any/image").registry for host in ("docker.io", "index.docker.io")}
    assert hub == {parse("nginx").registry}


def test_a_registry_that_is_not_there_is_said_to_be_out_of_reach(sources: AllSources, tmp_path: Path) -> None:
    with running_registry(tmp_path) as gone:
        pass
    with pytest.raises(WorldError, match=f"the registry {gone.address} cannot be asked: .*refused") as caught:
        resolved(sources, f"{gone.address}/shop/api", "1.0")
    assert caught.value.retryable


@pytest.fixture
def ecr(s3: Proxy) -> Any:
    """A moto server has no registry, so what was pushed is told to its API."""
    client = boto3.client("ecr", endpoint_url=s3.target, region_name="eu-west-1")
    client.create_repository(repositoryName="shop/api")
    return client


def pushed_to_ecr(client: Any, tag: str) -> str:
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": f"sha256:{'1' * 64}"}
    image = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
    answer = client.put_image(repositoryName="shop/api", imageManifest=image, imageTag=tag)
    return str(answer["image"]["imageId"]["imageDigest"])


def test_ecr_is_asked_by_its_own_api_in_its_own_region(sources: AllSources, ecr: Any) -> None:
    account = boto3.client("sts").get_caller_identity()["Account"]
    host = ECR.replace("111122223333", account)
    digest = pushed_to_ecr(ecr, "1.0")
    assert resolved(sources, f"{host}/shop/api", "1.0").image == f"{host}/shop/api@{digest}"
    for repository, tag, what in (("shop/api", "2.0", "image 2.0 in the repository"), ("nothing", "1.0", "repository")):
        with pytest.raises(RevisionDoesNotExist, match=f"there is no {what} {repository} at {host}"):
            resolved(sources, f"{host}/{repository}", tag)


@pytest.mark.parametrize(
    ("repository", "registry_of_it", "path"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("acme/shop", "registry-1.docker.io", "acme/shop"),
        ("docker.io/acme/shop", "registry-1.docker.io", "acme/shop"),
        ("localhost/shop", "localhost", "shop"),
        ("registry.example.com:5000/a/b/c", "registry.example.com:5000", "a/b/c"),
        (f"{ECR}/shop/api", ECR, "shop/api"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(repository: str, registry_of_it: str, path: str) -> None:
    assert parse(repository) == (registry_of_it, path)


@pytest.mark.parametrize(
    "name", ["Shop", "registry.example.com/shop:1.0", "a//b", "registry.example.com/", "a/../b", ""]
)
def test_what_is_no_name_of_an_image_is_refused(sources: AllSources, name: str) -> None:
    with pytest.raises(InvalidRevision, match="is no name of an image"):
        resolved(sources, name, "1.0")


def test_metadata_services_are_no_registries(sources: AllSources) -> None:
    with pytest.raises(UserError, match=r"169\.254\.169\.254 has the address 169\.254\.169\.254"):
        resolved(sources, "169.254.169.254/shop", "1.0")


class Odd:
    """A registry of which each answer is made up: `answers[path] = (status, headers, body)`."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, str, str | None]] = []
        odd = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                odd.seen.append((self.command, self.path, self.headers.get("Authorization")))
                status, headers, body = odd.answers[self.path.partition("?")[0]]
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_GET = do_HEAD = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def odd() -> Iterator[Odd]:
    made = Odd()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


PATH = "/v2/shop/manifests/1.0"


def test_without_the_header_the_digest_is_that_of_the_manifest(sources: AllSources, odd: Odd) -> None:
    odd.answers[PATH] = (200, {}, b'{"schemaVersion": 2}')
    digest = hashlib.sha256(b'{"schemaVersion": 2}').hexdigest()
    assert resolved(sources, f"{odd.address}/shop", "1.0").digest == f"sha256:{digest}"


def test_a_redirect_is_followed_without_the_token(sources: AllSources, odd: Odd) -> None:
    digest = {"Docker-Content-Digest": f"sha256:{'2' * 64}"}
    odd.answers[PATH] = (401, {"WWW-Authenticate": f'Bearer realm="http://{odd.address}/token",service="x"'}, b"")
    odd.answers["/token"] = (200, {}, b'{"access_token": "t0ken"}')
    with pytest.raises(WorldError, match="was denied"):
        resolved(sources, f"{odd.address}/shop", "1.0")
    assert odd.seen[-1] == ("HEAD", PATH, "Bearer t0ken")
    odd.answers[PATH] = (307, {"Location": "/elsewhere"}, b"")
    odd.answers["/elsewhere"] = (200, digest, b"")
    assert resolved(sources, f"{odd.address}/shop", "1.0").digest == f"sha256:{'2' * 64}"
    assert odd.seen[-1] == ("HEAD", "/elsewhere", None)


def _says(status: int, headers: dict[str, str], body: bytes = b"") -> Callable[[Odd], None]:
    def say(odd: Odd) -> None:
        odd.answers[PATH] = (status, headers, body)

    return say


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (_says(500, {}), "answered with status 500"),
        (_says(429, {}), "answered with status 429"),
        (_says(302, {"Location": PATH}), "sends from one address to the next"),
        (_says(302, {"Location": "ftp://127.0.0.1/x"}), "which cannot be trusted"),
        (_says(401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}), "which cannot be trusted"),
        (_says(401, {"WWW-Authenticate": 'Basic realm="x"'}), "was denied"),
        (_says(200, {}, b"<html>"), "something else than JSON"),
        (_says(200, {}, b'{"a": "' + b"x" * (4 << 20) + b'"}'), "more than 4,194,304 bytes"),
        (_says(200, {"Content-Length": "50"}, b'{"schemaVersion": 2}'), "cannot be asked"),
    ],
)
def test_an_answer_that_makes_no_sense_is_the_registrys_failure(
    sources: AllSources, odd: Odd, say: Callable[[Odd], None], message: str
) -> None:
    say(odd)
    with pytest.raises(WorldError, match=message) as caught:
        resolved(sources, f"{odd.address}/shop", "1.0")
    assert caught.value.retryable


def test_a_digest_that_is_none_is_refused(sources: AllSources, odd: Odd) -> None:
    odd.answers[PATH] = (200, {"Docker-Content-Digest": "sha256:0"}, b"")
    with pytest.raises(InvalidRevision, match=r"gives .* the digest 'sha256:0'"):
        resolved(sources, f"{odd.address}/shop", "1.0")
