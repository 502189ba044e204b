"""Container images: from a name and a tag to the digest that can never mean another image."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from runner.config import RegistryConfig
from runner.errors import InvalidRevision, RevisionDoesNotExist
from runner.model.revision import ImageLocation, ImageRevision

if TYPE_CHECKING:
    from runner.aws import Aws

_DOCKER_HUB = "registry-1.docker.io"
_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Name(NamedTuple):
    """An image's name, taken apart: `registry.example.com:5000` and `shop/api`."""

    registry: str
    path: str


def pinned(
    location: ImageLocation,
    git: str,
    commit_id: str,
    root: str,
    registries: Iterable[RegistryConfig],
    aws: "Callable[[], Aws]",
) -> ImageRevision:
    """See `resolve_image` of the port `Sources`. *registries*: where to log in."""
    name = parse(location.repository)
    if not _TAG.fullmatch(location.tag):
        raise InvalidRevision(f"{location.tag!r} is no tag of an image: 1 to 128 of A-Z a-z 0-9 _ . - are expected")
    login = next((each for each in registries if parse(f"{each.host}/any/image").registry == name.registry), None)
    digest = _digest(name, location.tag, login, aws)
    if not _DIGEST.fullmatch(digest):
        raise InvalidRevision(f"{name.registry} gives {location.repository}:{location.tag} the digest {digest[:80]!r}")
    return ImageRevision(
        repository=location.repository,
        tag=location.tag,
        digest=digest,
        commit_id=commit_id,
        git=git,
        root=root,
    )


def parse(repository: str) -> Name:
    """The registry and the path in it, by Docker's rules: without a registry it is Docker Hub's.

    Raises `InvalidRevision`.
    """
    first, slash, rest = repository.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if named else ("docker.io", repository)
    if not _PATH.fullmatch(path) or not re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", registry):
        raise InvalidRevision(
            f"{repository!r} is no name of an image; expected REGISTRY/NAME in lower case, without tag and digest"
        )
    if registry in ("docker.io", "index.docker.io"):
        return Name(_DOCKER_HUB, path if "/" in path else f"library/{path}")
    return Name(registry, path)


def ecr_of(name: Name) -> tuple[str, str] | None:
    """Account and region, where the registry is Amazon ECR's."""
    ecr = _ECR.fullmatch(name.registry)
    return (ecr["account"], ecr["region"]) if ecr else None


def _digest(name: Name, tag: str, login: RegistryConfig | None, aws: "Callable[[], Aws]") -> str:
    if ecr := ecr_of(name):
        return _of_ecr(name, tag, *ecr, aws())
    from runner.sources.registry import digest

    return digest(name.registry, name.path, tag, login)


def _of_ecr(name: Name, tag: str, account: str, region: str, aws: "Aws") -> str:
    """By Amazon ECR's own API, with the runner's credentials. Needs `ecr:DescribeImages`."""
    from runner.aws import AwsError
    from runner.model.aws import AwsPlace

    asked = {"registryId": account, "repositoryName": name.path, "imageIds": [{"imageTag": tag}]}
    try:
        found = aws.call(AwsPlace(region=region), "ecr", "describe_images", asked)
    except AwsError as error:
        if error.aws_code in ("RepositoryNotFoundException", "ImageNotFoundException"):
            what = "repository" if error.aws_code.startswith("Repository") else f"image {tag} in the repository"
            raise RevisionDoesNotExist(f"there is no {what} {name.path} at {name.registry}; was it pushed?") from error
        raise
    return str(found["imageDetails"][0]["imageDigest"])
