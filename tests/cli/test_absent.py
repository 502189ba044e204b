"""Submodules and files in Git LFS: told of before anything is deployed, and again when it is."""

from pathlib import Path

import pytest
from cli_cases import Penstock
from local_git import commit, git, new_repository

MANIFEST = """penstock: v1
application: {name}
platform: Server
deployment_groups:
  production:
    targets: {{tags: {{stage: production}}}}
"""
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def shop(penstock: Penstock) -> Penstock:
    """A checkout with two applications, below web/ and api/, and one host."""
    new_repository(penstock.here)
    for name in ("web", "api"):
        write(penstock.here, f"{name}/penstock.yaml", MANIFEST.format(name=name))
        write(penstock.here, f"{name}/appspec.yml", "version: 0.0\nos: linux\n")
    write(penstock.here, "penstock.toml", '[hosts.production-1]\nfolder = "host"\ntags = {stage = "production"}\n')
    (penstock.here / "host").mkdir()
    git(penstock.here, "add", "--all")
    commit(penstock.here)
    return penstock


def add_submodule(folder: Path, path: str) -> None:
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{path}")
    commit(folder)


def add_file(folder: Path, path: str, content: str, attributes: str = "*.bin filter=lfs diff=lfs -text\n") -> None:
    """As somebody has it who has no Git LFS: the pointer is in the work tree too."""
    write(folder, ".gitattributes", attributes)
    write(folder, path, content)
    git(folder, "-c", "filter.lfs.required=false", "add", "--all")
    commit(folder)


def warnings(penstock: Penstock) -> list[str]:
    told = penstock("--output", "json", "validate").json
    assert told["mistakes"] == []
    return [f"{each['file']}: {each['message']}" for each in told["warnings"]]


def test_validate_and_plan_tell_of_a_submodule_and_the_deployment_is_refused(shop: Penstock) -> None:
    add_submodule(shop.here, "web/vendor/library")
    (warning,) = warnings(shop)
    assert warning.startswith("web/vendor/library: web/vendor/library is a submodule; ")
    planned = shop("plan", "--application", "web")
    assert planned.status == 0
    assert "the deployment will fail: web/vendor/library is a submodule" in planned.err
    assert "add the files themselves to the repository" in planned.err
    refused = shop("deploy", "--application", "web")
    assert refused.status == 2
    assert "web/vendor/library is a submodule" in refused.err
    assert "is a submodule" not in shop("plan", "--application", "api").err


def test_validate_and_plan_tell_of_a_pointer_and_the_deployment_is_refused(shop: Penstock) -> None:
    add_file(shop.here, "web/media/film.bin", POINTER)
    (warning,) = warnings(shop)
    assert warning.startswith("web/media/film.bin: web/media/film.bin is kept in Git LFS; ")
    assert "web/media/film.bin is kept in Git LFS" in shop("plan", "--application", "web").err
    refused = shop("deploy", "--application", "web")
    assert refused.status == 2
    assert "web/media/film.bin is kept in Git LFS; the commit holds only a pointer" in refused.err


def test_attributes_alone_are_no_fault(shop: Penstock) -> None:
    add_file(shop.here, "web/small.bin", "the content itself")
    assert warnings(shop) == []
    assert "LFS" not in shop("plan", "--application", "web").err


def test_what_is_outside_of_the_applications_folder_is_no_fault(shop: Penstock) -> None:
    add_submodule(shop.here, "documentation/theme")
    add_file(shop.here, "documentation/film.bin", POINTER)
    assert warnings(shop) == []
    assert "will fail" not in shop("plan").err


def test_a_folder_without_git_is_checked_all_the_same(penstock: Penstock) -> None:
    write(penstock.here, "penstock.yaml", MANIFEST.format(name="web"))
    write(penstock.here, "appspec.yml", "version: 0.0\nos: linux\n")
    write(penstock.here, "film.bin", POINTER)
    assert warnings(penstock) == []
