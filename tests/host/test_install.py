"""Install, straight on a folder: instructions, permissions, cleanup, and what a crash leaves behind."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from install_rig import Rig, copies

from runner.host.files import install as module
from runner.host.outcome import Failure


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_files_go_under_their_own_name_and_directories_as_their_content(rig: Rig) -> None:
    rig.revision({"app/a": "1", "app/.dot": "2", "tool": "3"})
    rig.install(copies(app="/srv/app/", tool="/usr/bin"))
    assert rig.cleanup() == ["srv", "srv/app", "srv/app/.dot", "srv/app/a", "usr", "usr/bin", "usr/bin/tool"]


def test_the_whole_bundle_includes_the_appspec(rig: Rig) -> None:
    rig.revision({"a": "1"})
    rig.install({"files": [{"source": "/", "destination": "/srv"}]})
    assert (rig.root / "srv/appspec.yml").exists()


def test_dots_in_a_destination_cannot_leave_the_hosts_folder(rig: Rig, tmp_path: Path) -> None:
    rig.revision({"a": "1"})
    rig.install(copies(a="/../../srv"))
    assert (rig.root / "srv/a").exists()


def test_links_to_files_stay_links_and_links_to_directories_become_directories(rig: Rig) -> None:
    archive = rig.revision({"app/real/x": "1"})
    (archive / "app/link").symlink_to("real/x")
    (archive / "app/dangling").symlink_to("/nowhere")
    (archive / "app/folder").symlink_to("real")
    rig.install(copies(app="/srv"))
    assert str((rig.root / "srv/link").readlink()) == "real/x"
    assert str((rig.root / "srv/dangling").readlink()) == "/nowhere"
    assert not (rig.root / "srv/folder").is_symlink()
    assert (rig.root / "srv/folder/x").read_text() == "1"


def test_a_link_to_the_directory_that_it_is_in_is_refused(rig: Rig) -> None:
    archive = rig.revision({"app/x": "1"})
    (archive / "app/loop").symlink_to(".")
    with pytest.raises(Failure, match="is a link to a directory that it is in"):
        rig.install(copies(app="/srv"))


def test_a_name_with_a_line_break_is_refused_lest_the_next_cleanup_removes_something_else(rig: Rig) -> None:
    rig.revision({"app/x\n": "1", "app/y\n/z": "1"})
    with pytest.raises(Failure, match="line break"):
        rig.install(copies(app="/srv"))
    assert not (rig.root / "srv").exists()


def test_mode_and_time_come_along(rig: Rig) -> None:
    archive = rig.revision({"tool": "1"})
    (archive / "tool").chmod(0o4751)
    os.utime(archive / "tool", (5, 1000))
    rig.install(copies(tool="/srv"))
    status = (rig.root / "srv/tool").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o4751, 1000)


def test_a_missing_source_is_noticed_while_copying_and_its_path_is_cleaned_up(rig: Rig) -> None:
    rig.revision({})
    with pytest.raises(OSError, match="gone"):
        rig.install(copies(gone="/srv"))
    assert rig.cleanup() == ["srv", "srv/gone"]
    rig.revision({})
    rig.install({})
    assert not (rig.root / "srv").exists()


def test_overwrite_copies_into_a_directory_of_that_name(rig: Rig) -> None:
    (rig.root / "srv/a").mkdir(parents=True)
    rig.revision({"a": "1"})
    rig.install(copies(a="/srv"), file_exists_behavior="OVERWRITE")
    assert (rig.root / "srv/a/a").read_text() == "1"


def test_an_unknown_behavior_matters_only_when_a_file_exists(rig: Rig) -> None:
    rig.revision({"a": "1"})
    rig.install(copies(a="/srv"), file_exists_behavior="nonsense")
    (rig.root / "other").mkdir()
    (rig.root / "other/a").write_text("")
    rig.revision({"a": "1"})
    with pytest.raises(Failure, match="invalid option was specified for fileExistsBehavior: NONSENSE"):
        rig.install(copies(a="/other"), file_exists_behavior="nonsense")


def test_a_file_and_a_directory_of_one_name_clash_before_any_copy(rig: Rig) -> None:
    rig.revision({"a/x/y": "1", "b/x": "2"})
    with pytest.raises(Failure, match="both a file and a directory"):
        rig.install(copies(a="/srv", b="/srv"))
    assert not (rig.root / "srv").exists()


def test_directories_that_were_there_are_never_removed(rig: Rig) -> None:
    (rig.root / "srv").mkdir()
    rig.revision({"app/sub/x": "1"})
    rig.install(copies(app="/srv"))
    rig.revision({})
    rig.install({})
    assert list((rig.root / "srv").iterdir()) == []


def permission(**members: Any) -> dict[str, Any]:
    return {"files": [{"source": "app", "destination": "/srv"}], "permissions": [{"object": "/srv", **members}]}


def modes(rig: Rig) -> dict[str, int]:
    top = rig.root / "srv"
    return {str(path.relative_to(top)): stat.S_IMODE(path.stat().st_mode) for path in top.rglob("*")}


def test_types_select_files_or_directories_and_never_the_object(rig: Rig) -> None:
    rig.revision({"app/a": "1", "app/sub/b": "2"})
    rig.install(permission(types=["directory"], mode="700"))
    assert modes(rig) == {"a": 0o644, "sub": 0o700, "sub/b": 0o644}
    assert stat.S_IMODE((rig.root / "srv").stat().st_mode) == 0o755


def test_a_file_as_object_takes_no_pattern(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    with pytest.raises(Failure, match="pattern or except"):
        rig.install(permission(object="/srv/a", pattern="*", mode="600"))
    rig.install(permission(object="/srv/x/../a", mode="600"))
    assert modes(rig) == {"a": 0o600}


def test_only_stars_are_special_in_patterns(rig: Rig) -> None:
    rig.revision({"app/a.b": "1", "app/axb": "1", "app/a?": "1"})
    rig.install(permission(pattern="a.b", mode="600"))
    assert {name for name, mode in modes(rig).items() if mode == 0o600} == {"a.b"}


def test_two_entries_for_one_file_fail_before_any_copy(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    spec = permission(mode="600")
    spec["permissions"] *= 2
    with pytest.raises(Failure, match="specified more than once"):
        rig.install(spec)
    assert not (rig.root / "srv").exists()


def test_what_was_there_before_is_never_touched(rig: Rig) -> None:
    (rig.root / "srv").mkdir()
    (rig.root / "srv/old").write_text("")
    (rig.root / "srv/old").chmod(0o640)
    rig.revision({"app/a": "1"})
    rig.install(permission(mode="600"))
    assert modes(rig) == {"old": 0o640, "a": 0o600}


def test_an_unknown_owner_fails_after_the_files_were_copied(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    with pytest.raises(Failure, match="no such owner or group"):
        rig.install(permission(owner="nobody-knows"))
    assert rig.cleanup() == ["srv", "srv/a"]


def test_an_access_list_needs_its_tool_or_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    acl = {"default": False, "kind": "user", "name": "nobody", "perms": "rw-"}
    rig.revision({"app/a": "1"})
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(Failure, match="need the program setfacl, which this host does not have"):
        rig.install(permission(acls=[acl]))


def test_an_access_list_is_whole_with_base_entries_and_mask(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "bin/setfacl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    acls = [
        {"default": False, "kind": "user", "name": "nobody", "perms": "rw-"},
        {"default": True, "kind": "group", "name": "adm", "perms": "7"},
    ]
    rig.revision({"app/sub/x": "1"})
    rig.install(permission(types=["directory"], acls=acls, mode="750"))
    assert (tmp_path / "asked").read_text() == (
        "--set user::7,group::5,other::0,user:nobody:rw-,default:group:adm:7,mask::5,"
        f"default:user::7,default:group::5,default:other::0,default:mask::5 {rig.root}/srv/sub\n"
    )


def test_a_default_entry_on_a_file_is_refused_before_any_copy(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    with pytest.raises(Failure, match="default acl on file"):
        rig.install(permission(acls=[{"default": True, "kind": "user", "name": "nobody", "perms": "rw-"}]))
    assert not (rig.root / "srv").exists()


class Died(BaseException):
    """The executor ends here."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(9))
def test_an_install_that_dies_at_any_step_can_be_done_again_and_cleaned_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: int, when: str
) -> None:
    rig.revision({"app/a": "1", "app/b/c": "1", "app/b/d/e": "1"})
    spec = copies(app="/srv")
    records = 0

    def dying(fd: int, path: str) -> None:
        nonlocal records
        records += 1
        if records == step + 1 and when == "before":
            raise Died
        os.write(fd, os.fsencode(path) + b"\n")
        if records == step + 1:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(module, "_record", dying)
        try:
            rig.install(spec)
            assert records <= step
        except Died:
            pass
    rig.install(spec)
    assert sorted(rig.cleanup()) == ["srv", "srv/a", "srv/b", "srv/b/c", "srv/b/d", "srv/b/d/e"]
    rig.revision({})
    rig.install({})
    assert not (rig.root / "srv").exists()


def test_a_last_cleanup_line_without_its_end_does_not_count(rig: Rig) -> None:
    rig.revision({"a": "1"})
    rig.install(copies(a="/srv"))
    (rig.root / "precious").write_text("")
    with Path(rig.layout().cleanup).open("a") as cleanup:
        cleanup.write(str(rig.root / "precious"))
    rig.revision({})
    rig.install({})
    assert (rig.root / "precious").exists()
    assert not (rig.root / "srv").exists()


def test_the_instructions_are_kept_for_people_to_read(rig: Rig) -> None:
    rig.revision({"a": "1"})
    rig.install(copies(a="/srv"))
    stored = json.loads(Path(rig.layout().instructions).read_text())
    assert [instruction["type"] for instruction in stored["instructions"]] == ["mkdir", "copy"]
