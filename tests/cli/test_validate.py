from pathlib import Path

import pytest
from cli_cases import Penstock
from local_git import git

MANIFEST = """\
penstock: v1
application: {0}
platform: Server
deployment_groups:
  staging:
    targets: {{tags: {{stage: staging}}}}
"""
APPSPEC = "version: 0.0\nos: linux\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_yml", ".yml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_what_init_writes_is_valid(penstock: Penstock) -> None:
    penstock.checkout()
    assert penstock("validate") == (0, "3 files checked: all is well\n", "")


def test_every_mistake_of_every_file_is_told_with_file_line_and_path(penstock: Penstock) -> None:
    write(
        penstock.here,
        web__penstock_yaml=MANIFEST.format("web") + "    rolout: x\n",
        web__appspec_yml=APPSPEC,
        api__penstock_yaml=MANIFEST.format("api"),
        api__appspec_yml="version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: gone.sh\n",
        bare__penstock_yaml=MANIFEST.format("bare") + "appspec: other.yml\n",
    )
    (penstock.here / "penstock.toml").write_text("[hosts.web-1]\nfoldr = 'x'\n")
    said = penstock("validate")
    assert said.status == 2
    assert said.err == ""
    lines = said.out.splitlines()
    assert "web/penstock.yaml:7 deployment_groups.staging.rolout: unknown key; did you mean rollout?" in lines
    assert "api/appspec.yml:5 hooks.AfterInstall[0].location: there is no script gone.sh" in lines
    assert "bare/penstock.yaml:7 appspec: there is no bare/other.yml; every deployment needs an AppSpec file" in lines
    assert any(line.startswith("penstock.toml:2 hosts.web-1.foldr: ") for line in lines)
    assert lines[-1].startswith("5 files checked: ")


def test_files_are_named_as_the_user_sees_them(penstock: Penstock, tmp_path: Path) -> None:
    write(tmp_path / "other", penstock_yaml="penstock: v2\n")
    said = penstock("validate", str(tmp_path / "other"))
    assert said.out.startswith(f"{tmp_path}/other/penstock.yaml:1")


@pytest.mark.parametrize("path", ["web/penstock.yaml", ".penstock/api.yaml"])
def test_one_manifest_can_be_checked_alone(path: str, penstock: Penstock) -> None:
    write(penstock.here, penstock_yaml="nonsense", web__appspec_yml=APPSPEC, appspec_yml=APPSPEC)
    (penstock.here / path).parent.mkdir(exist_ok=True)
    (penstock.here / path).write_text(MANIFEST.format("web"))
    assert penstock("validate", path) == (0, "2 files checked: all is well\n", "")


def test_one_appspec_or_configuration_can_be_checked_alone(penstock: Penstock) -> None:
    write(penstock.here, appspec_yml="version: 1.0\nos: linux\n", penstock_yaml="nonsense")
    said = penstock("validate", "appspec.yml")
    assert said.status == 2
    assert said.out.startswith("appspec.yml:1 version: ")
    (penstock.here / "penstock.toml").write_text("listen = '127.0.0.1:0'\n")
    assert penstock("validate", "penstock.toml").status == 0


def test_files_that_git_ignores_are_not_looked_at(penstock: Penstock) -> None:
    penstock.checkout()
    write(penstock.here, hosts__local__penstock_yaml="nonsense")
    assert penstock("validate").status == 0
    write(penstock.here, new__penstock_yaml="nonsense")
    assert penstock("validate").status == 2
    git(penstock.here, "add", "--all")
    assert penstock("validate").status == 2


def test_a_folder_with_nothing_to_check_is_told_what_to_do(penstock: Penstock) -> None:
    said = penstock("validate")
    assert said.status == 2
    assert "penstock init" in said.err
    assert penstock("validate", "nowhere").status == 2


def test_a_file_that_is_no_text_is_a_mistake_like_any_other(penstock: Penstock) -> None:
    (penstock.here / "penstock.yaml").write_bytes(b"\xff\xfe")
    said = penstock("validate")
    assert (said.status, said.out.splitlines()[0]) == (2, "penstock.yaml: is not UTF-8 text")


def test_an_appspec_that_comes_with_a_bundle_need_not_be_here(penstock: Penstock) -> None:
    write(penstock.here, penstock_yaml=MANIFEST.format("web") + "revision: {s3: {bucket: releases, key: web.tgz}}\n")
    assert penstock("validate").status == 0


def test_validate_prints_json(penstock: Penstock) -> None:
    write(penstock.here, penstock_yaml=MANIFEST.format("web"))
    said = penstock("--output", "json", "validate")
    assert said.status == 2
    assert said.json["files"] == ["penstock.yaml"]
    assert said.json["mistakes"] == [
        {
            "file": "penstock.yaml",
            "line": 1,
            "path": "appspec",
            "message": "there is no appspec.yml; every deployment needs an AppSpec file",
        }
    ]
    assert said.json["warnings"] == []
