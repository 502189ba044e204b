"""The lists that the container's image is made from say what the program says. (tests/container builds it.)"""

import importlib.util
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from runner.model.aws import REQUESTS_PER_SECOND

_ROOT = Path(__file__).parents[1]
_LOCKED = re.compile(r"^([a-z0-9._-]+)==([^ ;]+)", re.MULTILINE)
_NAMED = re.compile(r"""(?:\bclient|load_service_model|\bcall)\(\s*(?:[\w.()=]+, )*"([a-z0-9-]+)\"""")


def locked(name: str) -> dict[str, Version]:
    text = (_ROOT / "requirements" / name).read_text()
    return {package: Version(version) for package, version in _LOCKED.findall(text)}


def test_the_locked_versions_are_those_that_the_package_allows() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    for name, wanted in (
        ("image.txt", project["project"]["dependencies"]),
        ("image.txt", project["project"]["optional-dependencies"]["postgresql"]),
        ("image-build.txt", project["build-system"]["requires"]),
    ):
        versions = locked(name)
        for each in map(Requirement, wanted):
            assert each.name in versions, f"{each.name} is not locked; run scripts/lock-image"
            assert each.specifier.contains(versions[each.name]), f"{each} is locked at {versions[each.name]}"


def test_every_locked_file_is_pinned_by_its_hash() -> None:
    for name in ("image.txt", "image-build.txt"):
        entries = re.split(r"\n(?=[a-z])", (_ROOT / "requirements" / name).read_text())[1:]
        assert len(entries) == len(locked(name))
        assert all("--hash=sha256:" in each for each in entries)


def test_the_image_keeps_the_model_of_every_aws_service_that_is_called() -> None:
    spec = importlib.util.spec_from_file_location("trim_image", _ROOT / "scripts/trim_image.py")
    assert spec and spec.loader
    trim_image = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trim_image)
    code = "\n".join(each.read_text() for each in (_ROOT / "runner").rglob("*.py"))
    called = {*_NAMED.findall(code)} - {"service-2"} | {*(each.partition(":")[0] for each in REQUESTS_PER_SECOND)}
    assert {"s3", "sns", "codedeploy", "ecr", "lambda"} <= called
    assert called <= trim_image.KEPT
