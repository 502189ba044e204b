"""AppSpec files, read as the official agent reads them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import InvalidFiles
from runner.model.appspec import AclEntry, AppSpec, FileMapping, Permission, Script
from runner.render.appspec import parse

HEAD = "version: 0.0\nos: linux\n"


def read(text: str) -> AppSpec:
    return parse(text, "appspec.yml")[0]


def warnings_of(text: str) -> list[str]:
    return [str(warning) for warning in parse(text, "appspec.yml")[1]]


def mistakes_of(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        parse(text, "appspec.yml")
    return [str(mistake) for mistake in caught.value.mistakes]


def hook(script: str) -> str:
    return f"{HEAD}hooks:\n  AfterInstall:\n    - {script}\n"


def permission(rest: str) -> str:
    return f"{HEAD}permissions:\n  - object: /srv/www\n    {rest}\n"


def test_a_whole_file_is_read():
    text = """\
version: 0.0
os: linux
file_exists_behavior: OVERWRITE
files:
  - source: /
    destination: /srv/www
  - {source: conf/app.conf, destination: /etc/app}
permissions:
  - object: /srv/www
    pattern: "*.sh"
    except: [skip.sh]
    type: [file]
    mode: 755
    owner: web
    group: staff
    acls: ["u:nobody:rw"]
    context: {name: system_u, type: httpd_sys_content_t, range: s0}
  - object: /etc/app
hooks:
  ApplicationStop:
    - location: scripts/stop.sh
  AfterInstall:
    - {location: " scripts/one.sh ", timeout: 300, runas: web}
    - {location: scripts/two.sh, sudo: true, timeout: "10s"}
"""
    appspec, warnings = parse(text.encode(), "appspec.yml")
    assert appspec == AppSpec(
        file_exists_behavior="OVERWRITE",
        files=(
            FileMapping(source="/", destination="/srv/www"),
            FileMapping(source="conf/app.conf", destination="/etc/app"),
        ),
        permissions=(
            Permission(
                object="/srv/www",
                pattern="*.sh",
                except_=("skip.sh",),
                types=("file",),
                mode="755",
                owner="web",
                group="staff",
                acls=(AclEntry(default=False, kind="user", name="nobody", perms="rw-"),),
                context_user="system_u",
                context_type="httpd_sys_content_t",
                context_range="s0",
            ),
            Permission(object="/etc/app"),
        ),
        hooks={
            "ApplicationStop": (Script(location="scripts/stop.sh"),),
            "AfterInstall": (
                Script(location="scripts/one.sh", timeout=300, runas="web"),
                Script(location="scripts/two.sh", timeout=10, sudo=True),
            ),
        },
    )
    assert [str(warning) for warning in warnings] == [
        "appspec.yml:24 hooks.AfterInstall[1].timeout: 10s is read as 10 seconds"
    ]


@pytest.mark.parametrize("version", ["0.0", "0", "0.00", "-0.0"])
def test_version_is_the_number_zero(version):
    assert read(f"version: {version}\nos: linux\n") == AppSpec()


@pytest.mark.parametrize(
    ("version", "shown"), [("1.0", "the number 1.0"), ('"0.0"', '"0.0"'), ("false", "false"), ("", "nothing")]
)
def test_any_other_version_is_refused(version, shown):
    [mistake] = mistakes_of(f"version: {version}\nos: linux\n")
    assert mistake.startswith("appspec.yml:1 version: expected 0.0, ")
    assert mistake.endswith(f"not {shown}")


@pytest.mark.parametrize("system", ["Linux", "windows", "", "[linux]"])
def test_any_other_system_than_linux_is_refused(system):
    [mistake] = mistakes_of(f"version: 0.0\nos: {system}\n")
    assert mistake.startswith("appspec.yml:2 os: expected linux, not ")


def test_all_mistakes_are_reported_at_once():
    text = """\
version: "0.0"
file_exists_behavior: overwrite
files:
  - app
  - {source: a}
  - {source: 1, destination: null}
hooks:
  AfterInstall:
    - {timeout: 5}
    - {location: a, timeout: 0, runas: ""}
  BeforeInstall: run.sh
permissions:
  - {mode: 999}
  - {object: a, type: file, owner: 0, acls: [bad], except: "*"}
  - {object: a, type: [socket], context: {range: c0}}
"""
    assert mistakes_of(text) == [
        "appspec.yml:1 os: expected linux, not nothing",
        'appspec.yml:1 version: expected 0.0, without quotes, not "0.0"',
        "appspec.yml:2 file_exists_behavior: expected DISALLOW or OVERWRITE or RETAIN, "
        'not "overwrite"; did you mean OVERWRITE?',
        'appspec.yml:4 files[0]: expected a mapping, not "app"',
        "appspec.yml:5 files[1]: destination is missing",
        "appspec.yml:6 files[2].destination: destination is missing",
        "appspec.yml:6 files[2].source: expected text, not the number 1; put it in quotes",
        "appspec.yml:9 hooks.AfterInstall[0].location: location is missing; expected the path of a script inside the bundle",
        "appspec.yml:10 hooks.AfterInstall[1].runas: is empty; name a user, or leave it out",
        "appspec.yml:10 hooks.AfterInstall[1].timeout: expected a number of seconds above 0, not the number 0",
        'appspec.yml:11 hooks.BeforeInstall: expected a list of scripts, not "run.sh"',
        "appspec.yml:13 permissions[0].mode: 999 is no mode; expected one to four digits from 0 to 7",
        "appspec.yml:13 permissions[0].object: object is missing; expected the path that the permission is for",
        "appspec.yml:14 permissions[1].acls[0]: 'bad' is no entry of an access list: "
        "expected [default:][user|group|mask|other:][name]:perms",
        'appspec.yml:14 permissions[1].except: expected a list, not "*"',
        "appspec.yml:14 permissions[1].owner: expected text, not the number 0; put it in quotes",
        'appspec.yml:14 permissions[1].type: expected a list, not "file"',
        "appspec.yml:15 permissions[2].context: type is missing",
        "appspec.yml:15 permissions[2].context.range: 'c0' is no range: 'c0' is not s and a number",
        'appspec.yml:15 permissions[2].type[0]: expected file or directory, not "socket"',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "appspec.yml:1: is empty; an AppSpec begins with `version: 0.0`"),
        (" \n", "appspec.yml:1: is empty; an AppSpec begins with `version: 0.0`"),
        ("- a", "appspec.yml:1: expected a mapping, not a list"),
        ("hello", 'appspec.yml:1: expected a mapping, not "hello"'),
        (HEAD + "files: [\n", "appspec.yml:3: not valid YAML: did not find expected node content"),
        (HEAD + "files:\n\t- a", "appspec.yml:4: not valid YAML: found character that cannot start any token"),
        (HEAD + "hooks: []", "appspec.yml:3 hooks: expected a mapping of lifecycle events, not an empty list"),
        (HEAD + "files: {a: b}", "appspec.yml:3 files: expected a list of mappings, not a mapping"),
        (HEAD.encode() + b"files: [\xff]", "appspec.yml:3: is not UTF-8 text"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(text, message):
    assert mistakes_of(text) == [message]


def test_a_byte_order_mark_is_refused_as_bytes_and_as_text():
    for text in ("\ufeff" + HEAD, ("\ufeff" + HEAD).encode()):
        assert "byte order mark" in mistakes_of(text)[0]


def test_an_alias_is_refused():
    assert "aliases" in mistakes_of(HEAD + "x: &d /srv\nfiles:\n  - {source: a, destination: *d}\n")[0]


def test_json_and_windows_line_ends_are_fine():
    json = '{"version": 0.0, "os": "linux", "files": [{"source": "a", "destination": "/b"}]}'
    lines = HEAD.replace("\n", "\r\n") + "files:\r\n  - source: a\r\n    destination: /b\r\n"
    assert read(json) == read(lines) == AppSpec(files=(FileMapping(source="a", destination="/b"),))


def test_nothing_where_something_may_stand_is_nothing():
    assert read(HEAD + "files:\npermissions:\nhooks:\nfile_exists_behavior:\n") == AppSpec()
    assert read(HEAD + "hooks:\n  BeforeInstall:\n  AfterInstall: []\n") == AppSpec(hooks={"AfterInstall": ()})


def test_the_last_of_equal_keys_and_the_first_document_count():
    assert read(HEAD + "os: linux\nversion: 0\n---\nversion: [") == AppSpec()


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("300", 300), ("1.9", 1), ("10s", 10), ('" 20"', 20), ("null", 3600), ("", 3600), ("false", 3600), ("010", 8)],
)
def test_a_timeout_is_its_leading_integer(timeout, seconds):
    [script] = read(hook(f"{{location: a, timeout: {timeout}}}")).hooks["AfterInstall"]
    assert script.timeout == seconds


@pytest.mark.parametrize("timeout", ["0", "0.5", "-1", "soon", "true", "[1]", '""'])
def test_a_timeout_that_is_no_time_is_refused(timeout):
    [mistake] = mistakes_of(hook(f"{{location: a, timeout: {timeout}}}"))
    assert ".timeout: expected a number of seconds above 0, not " in mistake


@pytest.mark.parametrize(
    ("sudo", "expected"), [("true", True), ("yes", True), ("no", False), ("", False), ("0", True), ('"false"', True)]
)
def test_sudo_is_anything_but_false_and_null(sudo, expected):
    [script] = read(hook(f"{{location: a, sudo: {sudo}}}")).hooks["AfterInstall"]
    assert script.sudo is expected


def test_an_unquoted_leading_zero_is_the_octal_trap_and_is_warned_of():
    text = permission("mode: 0644")
    assert read(text).permissions[0].mode == "420"
    assert warnings_of(text) == [
        "appspec.yml:5 permissions[0].mode: the mode will be 420: without quotes 0644 is read as the number 420; "
        'write "0644" in quotes'
    ]


def test_an_unquoted_0755_is_refused_and_the_trap_explained():
    assert mistakes_of(permission("mode: 0755")) == [
        "appspec.yml:5 permissions[0].mode: 493 is no mode; expected one to four digits from 0 to 7; "
        'without quotes 0755 is read as the number 493; write "0755" in quotes'
    ]


@pytest.mark.parametrize("mode", ["644", '"0644"', "4755", '"4755"', "44", '""'])
def test_other_modes_pass_without_a_warning(mode):
    assert warnings_of(permission(f"mode: {mode}")) == []


def test_a_context_takes_its_user_from_name_and_from_user():
    by_name = read(permission("context: {name: a, type: t}")).permissions[0]
    by_user = read(permission("context: {user: b, type: t}")).permissions[0]
    assert (by_name.context_user, by_user.context_user) == ("a", "b")
    assert (by_name.context_type, by_name.context_range) == ("t", None)
    assert "ignores `user`" in warnings_of(permission("context: {user: b, type: t}"))[0]


def test_no_types_is_both_and_an_empty_list_is_none():
    assert read(permission("mode: 600")).permissions[0].types == ("file", "directory")
    assert read(permission("type: []")).permissions[0].types == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (HEAD + "hook: {}\n", "appspec.yml:3 hook: unknown key, ignored; did you mean hooks?"),
        (
            hook("{location: a, timout: 5}"),
            "appspec.yml:5 hooks.AfterInstall[0].timout: unknown key, ignored; did you mean timeout?",
        ),
        (
            HEAD + "hooks:\n  AfterInstal: [{location: a}]\n",
            "appspec.yml:4 hooks.AfterInstal: unknown lifecycle event, never run; did you mean AfterInstall?",
        ),
        (
            HEAD + "hooks:\n  Install: [{location: a}]\n",
            "appspec.yml:4 hooks.Install: scripts never run in Install, which is the agent's own; "
            "use a Before or After event",
        ),
        (
            HEAD + "hooks:\n  AllowTraffic: [{location: a}]\n",
            "appspec.yml:4 hooks.AllowTraffic: scripts never run in AllowTraffic, which is the agent's own; "
            "use a Before or After event",
        ),
        (
            HEAD + "hooks:\n  AfterInstall: [{location: a}, {location: b, timeout: 1}]\n",
            "appspec.yml:4 hooks.AfterInstall: the timeouts of its scripts add up to 3601 seconds; CodeDeploy allows 3600",
        ),
    ],
)
def test_what_the_agent_lets_pass_in_silence_is_warned_of(text, warning):
    assert warnings_of(text) == [warning]


def test_a_huge_file_is_read_in_time():
    events = "".join(f"  Event{number}: [{{location: x}}]\n" for number in range(8_000))
    before = time.process_time()
    assert len(warnings_of(HEAD + "hooks:\n" + events)) == 100
    assert time.process_time() - before < 10


KEYS = (
    "files permissions hooks source destination object pattern except type mode owner acls context name range "
    "location timeout runas sudo AfterInstall Install zebra"
)

PIECES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["u:a:7", "s0"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(st.sampled_from(["files", "permissions", "hooks", "file_exists_behavior", "version"]), PIECES))
def test_any_data_is_an_appspec_or_a_clear_mistake(data):
    import json  # JSON is YAML

    try:
        appspec, _ = parse(json.dumps({"version": 0, "os": "linux", **data}), "appspec.yml")
    except InvalidFiles as error:
        assert error.mistakes
    else:
        assert isinstance(appspec, AppSpec)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_appspec_or_a_clear_mistake(data):
    with pytest.raises(InvalidFiles):
        parse(data, "appspec.yml")
