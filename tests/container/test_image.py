"""What the image is: an ordinary user's, small, whole, and nothing in it that is not used."""

import gzip
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from container.engine import BASE, IMAGE, Podman

pytestmark = pytest.mark.timeout(900)  # the first test builds the image

_LARGEST = 60 * 1024 * 1024  # bytes that the image adds to its base, compressed

_WHOLE = """
import importlib, pkgutil, runner
for module in pkgutil.walk_packages(runner.__path__, "runner."):
    if not module.name.endswith("__main__") and not module.name.startswith("runner.host."):  # scripts for hosts
        importlib.import_module(module.name)
import boto3, pathlib, sys
assert "site-packages" in runner.__file__
for service in sys.argv[1:]:
    boto3.client(service, region_name="eu-west-1")
left = [each.name for each in pathlib.Path(boto3.__file__).parents[1].joinpath("botocore/data").iterdir() if each.is_dir()]
print(*sorted(left))
"""


def test_it_runs_as_an_ordinary_user_and_says_how_it_ends_and_how_it_is(podman: Podman) -> None:
    config = podman.inspect(IMAGE)["Config"]
    assert config["User"] == "10001:10001"
    assert (config["Entrypoint"], config["Cmd"]) == (["penstock"], ["serve"])
    assert config["StopSignal"] == "SIGTERM"
    assert podman.inspect(IMAGE)["Healthcheck"]["Test"] == ["CMD", "penstock", "health"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    done = podman.run(["--entrypoint", "id"])
    assert done.stdout == "uid=10001(penstock) gid=10001(penstock) groups=10001(penstock)\n"


def test_it_starts_with_nothing_given(podman: Podman) -> None:
    assert podman.run([], "--version").stdout.startswith("penstock ")
    said = podman.run([], "health")
    assert (said.returncode, said.stdout) == (3, "")
    assert "no process drives the state folder /var/lib/penstock" in said.stderr


def test_nothing_in_it_installs_or_compiles(podman: Podman) -> None:
    script = "for each in pip pip3 gcc cc git; do ! type $each 2>/dev/null || exit 1; done; ! python -m pip --version"
    assert podman.run(["--entrypoint", "sh"], "-c", script).returncode == 0
    base = podman.run(["--entrypoint", "sh"], "-c", "type pip", image=BASE)
    assert base.returncode == 0, "the base has it, so the test above means something"


def test_every_module_and_every_aws_service_that_is_used_is_there_and_no_other(podman: Podman) -> None:
    sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
    try:
        from trim_image import KEPT
    finally:
        del sys.path[0]
    done = podman.run(["--entrypoint", "python"], "-c", _WHOLE, *sorted(KEPT))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(KEPT)


def test_everything_is_compiled_as_nothing_can_be_written(podman: Podman) -> None:
    script = """
import pathlib, sys
sources = [each for each in pathlib.Path("/opt/penstock/lib").rglob("*.py") if each.stat().st_size]
found = pathlib.Path("/opt/penstock/lib").rglob("*.pyc")
compiled = {each.parent.parent / f"{each.name.partition('.')[0]}.py" for each in found}
print(len(sources), *[each for each in sources if each not in compiled])
"""
    done = podman.run(["--entrypoint", "python"], "-c", script)
    assert done.returncode == 0, done.stderr
    count, *missing = done.stdout.split()
    assert int(count) > 1000
    assert missing == []


def test_it_is_small(podman: Podman, tmp_path: Path) -> None:
    added = _layers(podman, IMAGE, tmp_path / "image.tar")[len(_layers(podman, BASE, tmp_path / "base.tar")) :]
    compressed = sum(len(gzip.compress(layer, 6)) for layer in added)
    assert compressed < _LARGEST, f"{compressed / 2**20:.0f} MiB"


def _layers(podman: Podman, image: str, archive: Path) -> list[bytes]:
    podman("save", "--quiet", "--output", str(archive), image)
    with tarfile.open(archive) as whole:

        def read(name: str) -> bytes:
            member = whole.extractfile(name)
            assert member
            return member.read()

        manifest: list[dict[str, Any]] = json.loads(read("manifest.json"))
        return [read(name) for name in manifest[0]["Layers"]]


@pytest.mark.large
def test_the_same_sources_give_the_same_image(podman: Podman, tmp_path: Path) -> None:
    copy = tmp_path / "copy"  # elsewhere, with other times
    subprocess.run(["cp", "-r", podman.storage / "source", copy], check=True)
    podman.build(copy, podman.storage / "wheels", "localhost/penstock:again")
    first, again = (podman.inspect(image)["RootFS"]["Layers"] for image in (IMAGE, "localhost/penstock:again"))
    assert first == again
    assert len(first) > len(podman.inspect(BASE)["RootFS"]["Layers"])
