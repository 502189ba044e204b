"""The runner's own configuration."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import config, schema
from runner.config import (
    Config,
    Credentials,
    InstancesConfig,
    NotifierConfig,
    RepositoryConfig,
    SignaturesConfig,
    Tls,
    check,
    load,
    secret,
)
from runner.errors import InvalidFiles, UserError
from runner.model.aws import AwsSettings
from runner.model.executor import ExecutorSettings
from runner.model.host_command import AgentTimeouts
from runner.model.target import Host, Ssh


@pytest.fixture
def write(tmp_path):
    def to_file(text: str) -> Path:
        file = tmp_path / "penstock.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return to_file


def messages(file: Path) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        load(file, {})
    return [str(mistake).removeprefix(f"{file}:") for mistake in caught.value.mistakes]


def test_a_whole_configuration_is_read(write, tmp_path):
    file = write("""\
listen = "127.0.0.1:8300"
template_environment = ["STAGE"]
keep_bundles = 3

[executor]
plan_before_removing = true
keep_inside_bundle = true
environment_allow = ["LC_*", "JAVA_HOME"]
max_revisions = 2
max_size = "1.5GiB"
term_grace = "30s"
drain_grace = "0s"

[repositories.shop]
url = "./shop.git"
watch = "files"
branch = "main"
tags = ["v*"]
interval = "30s"

[repositories.api]
url = "https://git.example.com/api.git"
branches = ["main", "release/*"]
tags = "v*"
username = "bot"
password = "file:secrets/token"
ca_file = "/etc/ca.pem"

[repositories.core]
url = "git@git.example.com:team/core.git"
private_key = "keys/id"
private_key_passphrase = "env:PASSPHRASE"

[hosts.web-1]
transport = "local"
folder = "hosts/web-1"
tags = {app = "web", stage = "production"}
environment = {PORT = "8001"}

[notifiers.ops]
url = "https://hooks.example.com/x"
secret = "env:OPS"
""")
    assert load(file, {}) == Config(
        file=str(file),
        listen="127.0.0.1:8300",
        template_environment=("STAGE",),
        keep_bundles=3,
        executor=ExecutorSettings(
            plan_before_removing=True,
            keep_inside_bundle=True,
            environment_allow=("LC_*", "JAVA_HOME"),
            max_revisions=2,
            max_size=3 << 29,
            term_grace=dt.timedelta(seconds=30),
            drain_grace=dt.timedelta(0),
        ),
        repositories=(
            RepositoryConfig(
                name="shop",
                url=str(tmp_path / "shop.git"),
                watch="files",
                branches=("main",),
                tags=("v*",),
                interval=dt.timedelta(seconds=30),
            ),
            RepositoryConfig(
                name="api",
                url="https://git.example.com/api.git",
                branches=("main", "release/*"),
                tags=("v*",),
                credentials=Credentials(username="bot", password=f"file:{tmp_path}/secrets/token"),
                ca_file="/etc/ca.pem",
            ),
            RepositoryConfig(
                name="core",
                url="git@git.example.com:team/core.git",
                credentials=Credentials(private_key=f"{tmp_path}/keys/id", private_key_passphrase="env:PASSPHRASE"),
            ),
        ),
        hosts=(
            Host(
                name="web-1",
                folder=str(tmp_path / "hosts/web-1"),
                tags={"app": "web", "stage": "production"},
                environment={"PORT": "8001"},
            ),
        ),
        notifiers=(NotifierConfig(name="ops", url="https://hooks.example.com/x", secret="env:OPS"),),
    )


def test_without_a_file_there_are_the_defaults():
    assert load(None, {}) == Config()


def test_an_empty_file_has_the_defaults(write):
    file = write("")
    assert load(file, {}) == Config(file=str(file))


def test_the_environment_overrides_the_address(write):
    environ = {"PENSTOCK_LISTEN": "[::1]:0"}
    assert load(write('listen = "127.0.0.1:8300"'), environ).listen == "[::1]:0"
    assert load(None, environ).listen == "[::1]:0"


@pytest.mark.parametrize("address", ["8300", ":8300", "host:", "host:port", "host:99999"])
def test_a_wrong_address_in_the_environment_is_refused(address):
    with pytest.raises(UserError, match="is no address to listen on; expected HOST:PORT"):
        load(None, {"PENSTOCK_LISTEN": address})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("../shop", "{parent}/shop"),
        ("repos/shop.git", "{folder}/repos/shop.git"),
        ("/srv/shop.git", "/srv/shop.git"),
        ("./odd:name", "{folder}/odd:name"),
        ("file:///srv/shop.git", "file:///srv/shop.git"),
        ("ssh://git@example.com:22/shop", "ssh://git@example.com:22/shop"),
        ("example.com:shop.git", "example.com:shop.git"),
    ],
)
def test_a_path_starts_at_the_folder_of_the_file(write, tmp_path, url, expected):
    [repository] = load(write(f'[repositories.a]\nurl = "{url}"'), {}).repositories
    assert repository.url == expected.format(folder=tmp_path, parent=tmp_path.parent)


def test_every_mistake_is_reported_at_once_with_its_line(write):
    file = write("""\
listn = "127.0.0.1:8300"
listen = 1979-05-27
database = "postgresql://x"

[repositories.shop]
intervall = "30s"
interval = "0s"
watch = "file"

[repositories."a b"]
url = ""

[hosts.web]
transport = "carrier"
tags = {app = 1}

[notifiers.ops]
url = "ftp://x"
""")
    assert messages(file) == [
        "1 listn: unknown key; did you mean listen?",
        "2 listen: expected no date; put text in quotes",
        "3 database: is not built yet in this version of Penstock; leave it out",
        "5 repositories.shop: url is missing; expected a URL or a path, without a password "
        '(use username and password = "env:NAME")',
        "6 repositories.shop.intervall: unknown key; did you mean interval?",
        '7 repositories.shop.interval: expected a duration above zero, such as 30s, 5m or 1h30m, not "0s"',
        '8 repositories.shop.watch: expected poll or files, not "file"; did you mean files?',
        "10 repositories.a b: a key must be 1 to 100 of A-Z a-z 0-9 . _ + = , @ -",
        "11 repositories.a b.url: expected a URL or a path, without a password "
        '(use username and password = "env:NAME")',
        '13 hosts.web: names no folder; give folder = "PATH", which stands for the host\'s /',
        '14 hosts.web.transport: expected local, ssh or agent, not "carrier"',
        "15 hosts.web.tags.app: expected text of at most 256 characters, not the number 1",
        '18 notifiers.ops.url: expected an http or https URL, not "ftp://x"',
    ]
    assert check(file) != []


@pytest.mark.parametrize(
    "line",
    [
        'password = "hunter2"',
        'private_key_passphrase = "hunter2"',
        'password = ["hunter2"]',
        'url = "https://bot:hunter2@git.example.com/x"',
        'private_key = "-----BEGIN\\nhunter2"',
    ],
)
def test_a_literal_secret_is_refused_and_not_shown(write, line):
    file = write("[repositories.a]\n" + line + ("" if "url" in line else '\nurl = "x"') + "\n")
    [message] = messages(file)
    assert message.startswith("2 repositories.a.")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('url = "x"\nbranch = "a"\nbranches = ["b"]', "has both branch and branches; write one of them"),
        ('url = "x"\nprivate_key_passphrase = "env:A"', "has a private_key_passphrase but no private_key"),
        (
            'url = "https://x/y"\nwatch = "files"',
            'watch = "files" needs a repository of this machine; use watch = "poll"',
        ),
    ],
)
def test_what_contradicts_itself_is_refused(write, text, message):
    assert messages(write(f"[repositories.a]\n{text}\n")) == [f"1 repositories.a: {message}"]


def test_a_syntax_error_names_its_line(write):
    [message] = messages(write('listen = "x"\nhosts = \n'))
    assert message.startswith("2: not valid TOML: ")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidFiles, match="is not UTF-8 text"):
        load(file, {})


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        load(tmp_path / "gone.toml", {})


def test_a_secret_is_looked_up_when_it_is_used(tmp_path):
    (tmp_path / "token").write_text("from file\n", encoding="utf-8")
    assert secret("env:TOKEN", {"TOKEN": "from environment"}).reveal() == "from environment"
    assert secret(f"file:{tmp_path}/token").reveal() == "from file"
    assert repr(secret("env:TOKEN", {"TOKEN": "x"})) == f"{secret('env:TOKEN', {'TOKEN': 'x'})}" == "***"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:TOKEN", "the environment variable TOKEN is not set or empty"),
        ("file:/nowhere/token", "cannot be read: No such file or directory"),
        ("hunter2", "a secret must be a reference, env:NAME or file:PATH"),
        ("vault:hunter2", "a secret must be a reference, env:NAME or file:PATH"),
    ],
)
def test_a_missing_secret_is_the_users_mistake(reference, message):
    with pytest.raises(UserError) as caught:
        secret(reference, {"TOKEN": ""})
    assert message in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_empty_secret_file_is_refused(tmp_path):
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    with pytest.raises(UserError, match="is empty"):
        secret(f"file:{tmp_path}/token")


def test_importing_the_configuration_is_light():
    program = (
        "import sys, runner.config\n"
        "heavy = ('jsonschema_rs', 'jinja2', 'yaml', 'boto3', 'pygit2', 'structlog', 'sqlalchemy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_what_is_not_built_is_not_in_the_schema():
    known = schema.load("config")
    assert not config.NOT_BUILT[""] & known["properties"].keys()


WORDS = (
    "listen = [ ] [hosts.a] [repositories.a] folder url tags { } , . \"x\" 'y' 1 true 1979-05-27 07:32:00 inf nan 9e99 "
    "'''z''' # interval branches password"
)
PIECES = st.lists(st.sampled_from(["\n", " ", *WORDS.split()]), max_size=20).map("".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(PIECES, st.text(max_size=30)))
def test_any_text_is_a_configuration_or_a_clear_mistake(tmp_path, text):
    file = tmp_path / "penstock.toml"
    file.write_bytes(text.encode(errors="surrogatepass"))
    assert all(mistake.message for mistake in check(file))


def test_a_key_of_the_top_that_was_added_below_a_table_is_told_where_it_belongs(write):
    assert messages(write('[hosts.a]\nfolder = "/"\nlisten = "127.0.0.1:8300"\n')) == [
        "3 hosts.a.listen: unknown key here; listen belongs to the top level of the file, in TOML above the first [table]"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("keep_inside_bundl = true", "keep_inside_bundl: unknown key; did you mean keep_inside_bundle?"),
        ("plan_before_removing = 1", "plan_before_removing: expected true or false, not the number 1"),
        (
            'environment_allow = ["A B"]',
            'environment_allow[0]: expected the name of an environment variable, or a glob such as LC_*, not "A B"',
        ),
        ("max_revisions = 0", "max_revisions: expected a whole number from 1 to 1000, not the number 0"),
        ('max_size = "2GB"', 'max_size: expected a size such as 500MiB or 2GiB, not "2GB"'),
        ('term_grace = "5"', 'term_grace: expected a duration such as 90s, 5m or 1h30m, not "5"'),
    ],
)
def test_mistakes_about_the_executor_are_clear(write, line, message):
    assert messages(write(f"[executor]\n{line}\n")) == [f"2 executor.{message}"]


def test_a_host_over_ssh_needs_nothing_but_its_name(write):
    [host] = load(write('[hosts.web-1]\ntransport = "ssh"\n'), {}).hosts
    assert host == Host(name="web-1", transport="ssh", folder="/", ssh=Ssh())


def test_every_setting_of_a_host_over_ssh_is_read(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    file = write("""\
[hosts.web-1]
transport = "ssh"
folder = "/srv/a b"
address = "10.0.0.5"
user = "deploy"
port = 2222
identity_file = ["keys/id", "~/.ssh/other"]
proxy_jump = "ada@bastion:2200,inner"
sudo = true
python = "/opt/python/bin/python3"
known_hosts = "known_hosts"
connect_timeout = "5s"
command_timeout = "1m"
keepalive = "30s"
linger = "0s"
""")
    assert load(file, {}).hosts[0] == Host(
        name="web-1",
        transport="ssh",
        folder="/srv/a b",
        ssh=Ssh(
            address="10.0.0.5",
            user="deploy",
            port=2222,
            identity_files=(str(tmp_path / "keys/id"), "/home/ada/.ssh/other"),
            proxy_jump="ada@bastion:2200,inner",
            sudo=True,
            python="/opt/python/bin/python3",
            known_hosts=str(tmp_path / "known_hosts"),
            connect_timeout=dt.timedelta(seconds=5),
            command_timeout=dt.timedelta(minutes=1),
            keepalive=dt.timedelta(seconds=30),
            linger=dt.timedelta(0),
        ),
    )


def test_mistakes_about_hosts_over_ssh_are_clear_and_all_told(write):
    file = write("""\
[hosts.a]
transport = "ssh"
folder = "srv"
addres = "x"
port = 0
user = "-x"
proxy_jump = "a b"
python = "python3 -v"
identity_file = "-----BEGIN\\nhunter2"
keepalive = "0s"

[hosts.b]
folder = "/srv"
address = "10.0.0.5"

[hosts.c]
user = "ada"
""")
    assert messages(file) == [
        "3 hosts.a.folder: expected an absolute path on the host, without line breaks and backslashes",
        "4 hosts.a.addres: unknown key; did you mean address?",
        "5 hosts.a.port: expected a whole number from 1 to 65535, not the number 0",
        '6 hosts.a.user: expected the name of a user, not "-x"',
        '7 hosts.a.proxy_jump: expected [USER@]HOST[:PORT], or several with commas between, not "a b"',
        '8 hosts.a.python: expected the path of an interpreter on the host, such as /usr/bin/python3, not "python3 -v"',
        "9 hosts.a.identity_file: expected the path of a key file or a list of them, never the key itself",
        '10 hosts.a.keepalive: expected a duration above zero, such as 30s, 5m or 1h30m, not "0s"',
        '14 hosts.b.address: is for hosts with transport = "ssh"; this one has another',
        '17 hosts.c.user: is for hosts with transport = "ssh"; this one has another',
    ]


def test_a_load_balancer_is_read_and_its_mistakes_are_named(write, tmp_path):
    text = '[load_balancers.edge]\ntype = "haproxy"\naddress = ["run/a.sock", "10.0.0.1:99"]\ndrain_timeout = "5s"\n'
    (edge,) = load(write(text)).load_balancers
    assert edge.addresses == (str(tmp_path / "run/a.sock"), "10.0.0.1:99")
    assert (edge.drain_timeout.seconds, edge.on_drain_timeout, edge.up_timeout.seconds) == (5, "continue", 60)
    wrong = messages(write('[load_balancers.edge]\ntype = "haproxy"\naddress = "nowhere"\n'))
    assert wrong and "the path of a socket" in wrong[0]


def test_how_instances_are_reached_is_read_and_its_mistakes_are_named(write, tmp_path):
    told = load(
        write(
            """[instances]
address = "public_dns"
user = "ec2-user"
identity_file = "keys/fleet"
folder = "/mnt"
linger = "0s"
drain_timeout = "2m"
environment = {A = "b"}
[hosts.web-1]
folder = "h"
instance = "i-0123456789abcdef0"
"""
        ),
        {},
    )
    assert told.instances == InstancesConfig(
        address="public_dns",
        folder="/mnt",
        ssh=Ssh(user="ec2-user", identity_files=(str(tmp_path / "keys/fleet"),), linger=dt.timedelta(0)),
        environment={"A": "b"},
        drain_timeout=dt.timedelta(minutes=2),
    )
    assert told.hosts[0].instance == "i-0123456789abcdef0"
    assert load(write(""), {}).instances == InstancesConfig()
    assert load(write('[instances]\ntransport = "agent"\n'), {}).instances.transport == "agent"
    assert messages(write('[instances]\ntransport = "local"\nfolder = "mnt"\naddress = "10.0.0.1"\n')) == [
        '2 instances.transport: expected ssh or agent, not "local"',
        '3 instances.folder: expected an absolute path on the instance, without line breaks and backslashes, not "mnt"',
        '4 instances.address: expected private_ip, public_ip, private_dns or public_dns, not "10.0.0.1"',
    ]
    assert messages(write('[instances]\ntransport = "agent"\nuser = "ada"\n')) == [
        '3 instances.user: is for transport = "ssh"; instances have another'
    ]
    twice = "".join(f'[hosts.{name}]\nfolder = "h"\ninstance = "i-01234567"\n' for name in ("a", "b"))
    assert messages(write(twice)) == ["6 hosts.b.instance: i-01234567 is host a already"]
    assert messages(write('[hosts.a]\nfolder = "h"\ninstance = "web"\n')) == [
        '3 hosts.a.instance: expected the ID of an instance, such as i-0123456789abcdef0, not "web"'
    ]


def test_a_login_to_a_registry_is_read_and_its_mistakes_are_named(write, tmp_path):
    table = '[registries."registry.example.com:5000"]\n'
    (registry,) = load(write(table + 'username = "ada"\npassword = "file:secrets/registry"\n')).registries
    assert (registry.host, registry.username) == ("registry.example.com:5000", "ada")
    assert registry.password == f"file:{tmp_path / 'secrets/registry'}"
    wrong = messages(write(table + 'username = "ada"\npassword = "s3cret"\n'))
    assert wrong and "a reference to a secret" in wrong[0] and "s3cret" not in wrong[0]
    wrong = messages(write('[registries."https://ghcr.io"]\nusername = "ada"\npassword = "env:A"\n'))
    assert wrong and "the host of a registry" in wrong[0]


def test_how_to_listen_is_read_and_files_of_tls_start_at_its_folder(write, tmp_path):
    read = load(
        write(
            'listen = "0.0.0.0:443"\nlisten_without_tls = true\nmax_connections = 50\n'
            '[tls]\ncertificate = "tls/cert.pem"\nprivate_key = "/etc/key.pem"\n'
        )
    )
    assert read.tls == Tls(certificate=str(tmp_path / "tls/cert.pem"), private_key="/etc/key.pem")
    assert (read.listen_without_tls, read.max_connections) == (True, 50)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tls]\ncertificate = "c.pem"', "1 tls: private_key is missing"),
        ("max_connections = 0", "1 max_connections: expected a whole number from 1 to 1000000, not the number 0"),
        ('listen_without_tls = "yes"', '1 listen_without_tls: expected true or false, not "yes"'),
    ],
)
def test_mistakes_about_listening_are_clear(write, text, message):
    assert messages(write(text)) == [message]


def test_how_long_agents_may_take_is_read_and_has_defaults(write):
    minutes = dt.timedelta(minutes=1)
    assert load(None).agents == AgentTimeouts(start=5 * minutes, event=60 * minutes, heartbeat=3 * minutes)
    text = '[agents]\nstart_timeout = "10m"\nevent_timeout = "2h"\nheartbeat_timeout = "90s"\n'
    assert load(write(text)).agents == AgentTimeouts(start=10 * minutes, event=120 * minutes, heartbeat=1.5 * minutes)


@pytest.mark.parametrize("value", ['"0s"', '"soon"', "5", '""'])
def test_agents_without_time_are_a_mistake(write, value):
    (message,) = messages(write(f"[agents]\nheartbeat_timeout = {value}\n"))
    assert "agents.heartbeat_timeout" in message


def test_how_aws_is_called_is_read_and_has_defaults(write):
    assert load(None).aws == AwsSettings(assume_service_roles=True, alarm_interval=dt.timedelta(seconds=10))
    text = """\
[aws]
assume_service_roles = false
alarm_interval = "1m"
requests_per_second = {lambda = 2.5, "lambda:Invoke" = 9}
"""
    assert load(write(text)).aws == AwsSettings(
        requests_per_second={"lambda": 2.5, "lambda:Invoke": 9},
        assume_service_roles=False,
        alarm_interval=dt.timedelta(minutes=1),
    )


@pytest.mark.parametrize(
    "line",
    [
        'alarm_interval = "0s"',
        "requests_per_second = {lambda = 0}",
        "requests_per_second = {lambda = true}",
        'requests_per_second = {"lambda invoke" = 1}',
        'region = "eu-west-1"',
    ],
)
def test_what_aws_cannot_be_called_by_is_a_mistake(write, line):
    (message,) = messages(write(f"[aws]\n{line}\n"))
    assert "aws" in message


@pytest.mark.parametrize(
    ("lines", "branch"),
    [
        ("", "main"),
        ('branches = ["release/*", "trunk", "main"]', "trunk"),
        ('branch = "stable"', "stable"),
        ('branches = []\nsignatures.branch = "main"', "main"),
        ('branches = ["v*"]\nsignatures.branch = "main"', "main"),
    ],
)
def test_signers_are_listed_on_a_branch_that_is_named_or_the_first_without_a_wildcard(write, lines, branch):
    text = f'[repositories.a]\nurl = "https://x/y"\nsignatures.required = false\n{lines}\n'
    [repository] = load(write(text), {}).repositories
    assert repository.signatures == SignaturesConfig(branch=branch, required=False)


def test_signatures_need_a_branch_and_paths_inside_the_repository(write):
    table = '[repositories.a]\nurl = "https://x/y"\nbranches = ["v*"]\n[repositories.a.signatures]\n'
    assert messages(write(table)) == [
        "1 repositories.a: has signatures, but no branch without a wildcard; name one in signatures.branch"
    ]
    for path in ("/etc/signers", "../signers", "a/../../b", "./signers"):
        for name in ("allowed_signers", "allowed_certificates", "revoked_certificates"):
            [message] = messages(write(f'{table}branch = "main"\n{name} = "{path}"\n'))
            assert "expected a path in the repository" in message
    [message] = messages(write(f'{table}branch = "release/*"\n'))
    assert "expected the name of a branch, without wildcards" in message
