"""What can be opted into on the host: a plan before anything is removed, and sources and scripts inside the bundle."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from generated import cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from install_rig import Rig, copies

from runner.host.files.cleanup import clean_up, foresee, recorded
from runner.host.files.disk import Disk
from runner.host.files.instructions import draw_up
from runner.host.outcome import Failure
from runner.host.scripts import environment
from runner.host.scripts.environment import environment_for
from runner.host.scripts.revision import scripts_for

BEFORE = {"plan_before_removing": True}
INSIDE = {"keep_inside_bundle": True}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "host")


def test_an_impossible_plan_costs_nothing(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    rig.install(copies(app="/srv"))
    list_of_files = Path(rig.layout().cleanup).read_text()
    (rig.root / "etc").mkdir()
    (rig.root / "etc/b").write_text("mine")
    rig.revision({"app/a": "2", "b": "2"})
    with pytest.raises(Failure, match=r"already exists at this location: .*etc/b"):
        rig.install(copies(app="/srv", b="/etc"), options=BEFORE)
    assert (rig.root / "srv/a").read_text() == "1"
    assert Path(rig.layout().cleanup).read_text() == list_of_files


def test_by_default_an_impossible_plan_has_cost_the_old_files_as_with_the_agent(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    rig.install(copies(app="/srv"))
    (rig.root / "b").write_text("mine")
    rig.revision({"b": "2"})
    with pytest.raises(Failure):
        rig.install(copies(b="/"))
    assert not (rig.root / "srv").exists()


def test_files_of_the_previous_revision_do_not_stand_in_the_way(rig: Rig) -> None:
    for number in "123":
        rig.revision({"app/a": number, "app/sub/b": number, f"app/only{number}": ""})
        rig.install(copies(app="/srv"), options=BEFORE)
    assert rig.cleanup() == ["srv", "srv/a", "srv/only3", "srv/sub", "srv/sub/b"]
    assert (rig.root / "srv/a").read_text() == "3"


def test_a_directory_that_keeps_a_stray_file_is_there_and_is_not_made_again(rig: Rig) -> None:
    rig.revision({"app/a": "1", "app/sub/b": "1"})
    rig.install(copies(app="/srv"))
    (rig.root / "srv/sub/stray").write_text("")
    rig.revision({"app/a": "2", "app/sub/b": "2"})
    rig.install(copies(app="/srv"), options=BEFORE)
    assert rig.cleanup() == ["srv/a", "srv/sub/b"]
    rig.revision({"app/sub/stray": "3"})
    with pytest.raises(Failure, match=r"already exists at this location: .*srv/sub/stray"):
        rig.install(copies(app="/srv"), options=BEFORE)
    assert (rig.root / "srv/a").read_text() == "2"


def test_an_impossible_plan_can_be_mended_and_tried_again(rig: Rig) -> None:
    rig.revision({"app/a": "1"})
    rig.install(copies(app="/srv"))
    (rig.root / "srv/b").write_text("mine")
    rig.revision({"app/b": "2"})
    with pytest.raises(Failure):
        rig.install(copies(app="/srv"), options=BEFORE)
    (rig.root / "srv/b").unlink()
    rig.install(copies(app="/srv"), options=BEFORE)
    assert [path.name for path in (rig.root / "srv").iterdir()] == ["b"]


# The disk as it would be, against the disk as it is after a real cleanup: on random trees, full of links.

NAMES = ["a", "b", "c"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TARGETS = st.one_of(PATHS, PATHS.map(lambda path: "../" + path), PATHS.map(lambda path: f"@/{path}"), st.just("."))
ENTRIES = st.one_of(
    st.tuples(st.just("file"), PATHS, st.just("")),
    st.tuples(st.just("directory"), PATHS, st.just("")),
    st.tuples(st.just("link"), PATHS, TARGETS),
)


def build(root: Path, entries: list[tuple[str, str, str]]) -> None:
    """What can be made of *entries*; those that cannot be are left out. `@` stands for *root*."""
    root.mkdir(parents=True)
    for kind, name, target in entries:
        path = root / name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_text(name)
            elif kind == "directory":
                path.mkdir()
            else:
                path.symlink_to(target.replace("@", str(root)))


def drawn(rig: Rig, disk: Disk, behavior: str, mappings: list[tuple[str, str]]) -> object:
    spec = {
        "files": [{"source": source, "destination": to} for source, to in mappings],
        "permissions": [{"object": to, "mode": "600"} for _, to in mappings],
        "file_exists_behavior": behavior,
    }
    try:
        plan = draw_up(rig.request(spec), rig.layout(), disk)
    except OSError as error:
        return type(error)
    return plan.instructions, plan.problems, plan.retained, plan.overwritten


@pytest.mark.generated
@settings(max_examples=cases(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ENTRIES, max_size=12),
    st.lists(PATHS, max_size=10),
    st.lists(ENTRIES, max_size=8),
    st.lists(st.tuples(st.one_of(PATHS, PATHS.map("@@/".__add__)), PATHS), min_size=1, max_size=3),
    st.sampled_from(["DISALLOW", "OVERWRITE", "RETAIN"]),
)
def test_the_plan_is_the_one_that_a_real_cleanup_would_have_led_to(
    tmp_path: Path,
    entries: list[tuple[str, str, str]],
    listed: list[str],
    bundle: list[tuple[str, str, str]],
    mappings: list[tuple[str, str]],
    behavior: str,
) -> None:
    shutil.rmtree(tmp_path / "host", ignore_errors=True)
    rig = Rig(tmp_path / "host")
    build(rig.root / "srv", entries)
    archive = rig.revision({})
    build(archive / "app", bundle)
    out = "/".join([".."] * len(archive.relative_to(rig.root).parts)) + "/srv"  # sources may leave the bundle
    wanted = [
        (source.replace("@@", out) if "@@" in source else f"app/{source}", f"/srv/{to}") for source, to in mappings
    ]
    cleanup = Path(rig.layout().cleanup)
    cleanup.write_text("".join(f"{rig.root}/srv/{name}\n" for name in listed))

    before = sorted(os.walk(rig.root))
    disk, fates = foresee(recorded(str(cleanup)))
    foreseen = drawn(rig, disk, behavior, wanted)
    assert sorted(os.walk(rig.root)) == before
    removed = set(fates["file"] + fates["directory"])
    with contextlib.suppress(OSError):
        clean_up(str(cleanup))
        assert foreseen == drawn(rig, Disk(), behavior, wanted)
        assert not [path for path in removed if os.path.lexists(path)]


def test_a_link_that_goes_takes_the_way_to_what_lies_behind_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("x", "y"):
        (tmp_path / "real" / name).touch()
    (tmp_path / "link").symlink_to("real")
    lines = [f"{tmp_path}/{name}" for name in ("link/x", "link", "link/y")]  # the last one goes first
    disk, fates = foresee(lines)
    assert (fates["file"], fates["missing"]) == ([lines[2], lines[1]], [lines[0]])
    assert disk.exists(f"{tmp_path}/real/x")
    assert not disk.exists(f"{tmp_path}/real/y")
    assert not disk.exists(f"{tmp_path}/link/x")


@pytest.mark.parametrize("source", ["/../../other", "app/out", "app/out/deep", "app"])
def test_a_source_that_leads_out_of_the_bundle_is_refused_on_request(rig: Rig, source: str, tmp_path: Path) -> None:
    (tmp_path / "outside/deep").mkdir(parents=True)
    archive = rig.revision({"app/x": "1"})
    (archive / "app/out").symlink_to(tmp_path / "outside")
    with pytest.raises(Failure, match=r"leads out of the bundle, to "):
        rig.install({"files": [{"source": source, "destination": "/srv"}]}, options=INSIDE)
    assert not (rig.root / "srv").exists()


def test_every_source_that_leads_out_is_named_at_once(rig: Rig) -> None:
    archive = rig.revision({"app/x": "1"})
    (archive / "app/one").symlink_to("/etc")
    (archive / "app/two").symlink_to("/etc/passwd")
    with pytest.raises(Failure) as caught:
        rig.install({"files": [{"source": source, "destination": "/srv"} for source in ("app", "..")]}, options=INSIDE)
    lines = caught.value.message.splitlines()
    assert len(lines) == 3
    assert "app/one leads out of the bundle, to /etc;" in lines[0]
    assert "app/two leads out of the bundle, to /etc/passwd;" in lines[1]


def test_links_inside_the_bundle_may_be_followed(rig: Rig) -> None:
    archive = rig.revision({"app/real/x": "1"})
    (archive / "app/link").symlink_to("real")
    rig.install(copies(app="/srv"), options=INSIDE)
    assert (rig.root / "srv/link/x").read_text() == "1"


@pytest.mark.parametrize("location", ["../../../other.sh", "out.sh", "folder/other.sh"])
def test_a_script_outside_the_bundle_is_refused_on_request_before_anything_runs(
    rig: Rig, location: str, tmp_path: Path
) -> None:
    archive = rig.revision({"good.sh": ""})
    (archive / "out.sh").symlink_to(tmp_path / "other.sh")
    (archive / "folder").symlink_to(tmp_path)
    spec = {"hooks": {"AfterInstall": [{"location": "good.sh"}, {"location": location}]}}
    request = rig.request(spec, event="AfterInstall", options=INSIDE)
    with pytest.raises(Failure, match="leads out of the bundle, to") as caught:
        scripts_for(request, rig.layout())
    assert (caught.value.code, caught.value.script) == ("UnknownError", location)
    assert len(scripts_for(rig.request(spec, event="AfterInstall"), rig.layout()).scripts) == 2


def test_the_allowed_variables_of_the_login_come_between_ours_and_the_configured_ones(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"LC_TIME": "C", "LC_ALL": "C", "PATH": "/opt/bin", "DEPLOYMENT_ID": "x", "PORT": "1", "SECRET": "s"}
    monkeypatch.setattr(environment, "_OWN", login)
    allow = {"environment_allow": ["LC_*", "PATH", "DEPLOYMENT_*", "PORT"]}
    request = rig.request({}, options=allow, environment={"PORT": "2"}, event="AfterInstall")
    found = environment_for(request, rig.layout())
    assert (found["LC_TIME"], found["LC_ALL"], found["PATH"], found["PORT"]) == ("C", "C", "/opt/bin", "2")
    assert found["DEPLOYMENT_ID"] == request.deployment
    assert "SECRET" not in found
    assert "LC_TIME" not in environment_for(rig.request({}, event="AfterInstall"), rig.layout())
