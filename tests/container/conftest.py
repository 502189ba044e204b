"""One image for all tests, built by podman from the Dockerfile on a base made of this machine's own Python."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from container import base_image
from container.engine import BASE, Podman
from container.site import Site

ROOT = Path(__file__).parents[2]
_CONTEXT = (
    *("Dockerfile", ".dockerignore", "requirements", "scripts", "pyproject.toml", "README.md", "LICENSE"),
    *("runner", "schemas", "pipelines"),
)


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """With the image built. Workers of one run share it; the last one to leave removes it."""
    if os.geteuid() != 0:
        pytest.fail("building and running the image needs root here; run the tests as root")
    if not shutil.which("podman"):
        pytest.fail("podman is missing; scripts/debian-packages installs it, with runc")
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    engine = Podman(shared / "podman")
    with (shared / "podman.users").open("w") as users, (shared / "podman.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not (built := engine.storage / "built").exists():
            _build(engine)
            built.touch()
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield engine
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        engine.remove_everything()


def _build(engine: Podman) -> None:
    engine.storage.mkdir(parents=True, exist_ok=True)
    archive = engine.storage / "base.tar"
    base_image.write(archive)
    engine.import_base(archive)
    archive.unlink()
    tried = engine.run([], "python", "-c", "import ssl, sqlite3, pip, venv", image=BASE)
    if tried.returncode:
        pytest.fail(f"podman cannot run containers on this machine:\n{tried.stdout}{tried.stderr}")
    wheels = engine.storage / "wheels"
    locked = [f"--requirement={ROOT / 'requirements' / name}" for name in ("image.txt", "image-build.txt")]
    strictly = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
    download = [sys.executable, "-m", "pip", "download", "--quiet", *strictly, "--dest", str(wheels), *locked]
    done = subprocess.run(download, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.fail(f"pip cannot fetch what requirements/ names:\n{done.stderr}")
    source = engine.storage / "source"  # a copy, so that everything is built from the same files
    source.mkdir()
    subprocess.run(["cp", "-r", *(ROOT / each for each in _CONTEXT), source], check=True)
    engine.build(source, wheels)


@pytest.fixture
def site(podman: Podman, tmp_path: Path) -> Iterator[Site]:
    made = Site(podman, tmp_path)
    yield made
    made.remove()
