"""Debian's packages in the container's image: none, unless the builder names some. With stand-ins for apt-get and rm."""

import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_STEP = re.compile(r"^RUN (\[ -z \"\$DEBIAN_PACKAGES\" \].*?[^\\])$", re.MULTILINE | re.DOTALL)
FOR_SIGNATURES = "openssh-client gpg openssl"


class Step:
    """The step of the Dockerfile, run by a shell that finds the stand-ins and no other command."""

    def __init__(self, folder: Path) -> None:
        (self.text,) = _STEP.findall((_ROOT / "Dockerfile").read_text())
        self.folder, self.ran = folder, folder / "ran"
        self.ran.touch()
        for name in ("apt-get", "rm"):
            script = folder / name
            script.write_text(f'#!/bin/sh\necho {name} "$#" "$@" >>{self.ran}\n[ "$1" != "$FAILS" ]\n')
            script.chmod(0o755)

    def run(self, packages: str, fails: str = "nothing") -> int:
        environment = {"PATH": str(self.folder), "DEBIAN_PACKAGES": packages, "FAILS": fails}
        return subprocess.run(["/bin/sh", "-c", self.text], env=environment, timeout=60, check=False).returncode

    def lines(self) -> list[str]:
        return self.ran.read_text().splitlines()


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def test_by_default_nothing_of_debian_is_installed(step: Step) -> None:
    assert step.run("") == 0
    assert step.lines() == []
    assert '\nARG DEBIAN_PACKAGES=""\n' in (_ROOT / "Dockerfile").read_text()


def test_what_is_named_is_installed_and_nothing_that_it_only_recommends(step: Step) -> None:
    assert step.run(FOR_SIGNATURES) == 0
    update, install, clean = step.lines()
    assert update == "apt-get 2 update -q"
    assert install == f"apt-get 7 install -q --yes --no-install-recommends {FOR_SIGNATURES}"
    assert clean.startswith("rm ")
    assert "/var/log/dpkg.log" in clean


@pytest.mark.parametrize("fails", ["update", "install", "-rf"])
def test_an_image_without_what_was_named_is_not_built(step: Step, fails: str) -> None:
    assert step.run(FOR_SIGNATURES, fails) != 0
    assert len(step.lines()) == 1 + ["update", "install", "-rf"].index(fails)


def test_the_documentation_names_the_packages_that_signatures_need() -> None:
    for page in ("container.md", "signed-commits.md"):
        assert f'--build-arg DEBIAN_PACKAGES="{FOR_SIGNATURES}"' in (_ROOT / "docs" / page).read_text()
