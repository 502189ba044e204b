"""The runner's own configuration: `penstock.toml`, checked against `schemas/config.schema.json`, as values.

Secrets are references (`env:NAME`, `file:PATH`); they are looked up when they are used, never when they are read.
"""

import datetime as dt
import functools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from runner import schema, toml
from runner.errors import InvalidFiles, Mistake, UserError
from runner.log import Secret
from runner.model.duration import parse_duration
from runner.model.executor import ExecutorSettings
from runner.model.host_command import AgentTimeouts
from runner.model.size import parse_size
from runner.model.target import Host, Ssh
from runner.model.value import Value


class Credentials(Value, frozen=True, kw_only=True):
    """How to reach a private repository. *password* and *private_key_passphrase* are secret references."""

    username: str | None = None
    password: str | None = None
    private_key: str | None = None  # path of a key file
    private_key_passphrase: str | None = None


class RepositoryConfig(Value, frozen=True, kw_only=True):
    """One repository to watch. *branches* and *tags* are globs; a ref that matches none is not looked at.

    *watch*: `poll` asks the remote every *interval*; `files` waits for the file system of a local repository.
    *ca_file*: certificates to trust for https beside the system's. *github*: `OWNER/NAME`, for a mirror of a repository
    on GitHub: revisions that name that one are taken from here.
    """

    name: str
    url: str
    github: str | None = None
    watch: Literal["poll", "files"] = "poll"
    branches: tuple[str, ...] = ("main", "master")
    tags: tuple[str, ...] = ()
    interval: dt.timedelta = dt.timedelta(seconds=60)
    credentials: Credentials | None = None
    ca_file: str | None = None


class NotifierConfig(Value, frozen=True, kw_only=True):
    """A webhook that manifests name as `webhook:NAME`. *secret* is a reference; bodies are signed with it."""

    name: str
    url: str
    secret: str | None = None


class LoadBalancerConfig(Value, frozen=True, kw_only=True):
    """A load balancer that manifests name. *addresses* of its runtime API: paths of sockets, and HOST:PORT; all are told.

    *servers*: host to its name in the balancer, where that is another. *drain_timeout*: how long sessions may take to end;
    then *on_drain_timeout* says whether the host's deployment fails. *up_timeout*: how long a host may take to be up again.
    """

    name: str
    type: Literal["haproxy"]
    addresses: tuple[str, ...]
    servers: dict[str, str] = {}
    drain_timeout: dt.timedelta = dt.timedelta(seconds=60)
    on_drain_timeout: Literal["continue", "fail"] = "continue"
    up_timeout: dt.timedelta = dt.timedelta(seconds=60)


class ApiConfig(Value, frozen=True, kw_only=True):
    """The wire API. *region* and *account_id* (12 digits) are what its ARNs carry.

    *key_file*: what the secrets of access keys are encrypted with; None: `keys.key` in the state folder. *rate*: requests a
    second of one access key; *burst*: as many at once.
    """

    region: str = "us-east-1"
    account_id: str = "000000000000"
    key_file: str | None = None
    rate: int = 50
    burst: int = 200


class Tls(Value, frozen=True, kw_only=True):
    """Paths of PEM files: *certificate* with its chain, and its *private_key*, without a passphrase."""

    certificate: str
    private_key: str


class Listening(Value, frozen=True, kw_only=True):
    """How `penstock serve` listens. *address*: HOST:PORT. *without_tls*: also where other machines can reach it."""

    address: str
    tls: Tls | None = None
    without_tls: bool = False
    max_connections: int = 12_000


class Config(Value, frozen=True, kw_only=True):
    """Everything of `penstock.toml`. *template_environment*: variable names that manifests may read as `env.NAME`."""

    file: str | None = None
    repositories: tuple[RepositoryConfig, ...] = ()
    hosts: tuple[Host, ...] = ()
    load_balancers: tuple[LoadBalancerConfig, ...] = ()
    notifiers: tuple[NotifierConfig, ...] = ()
    listen: str | None = None  # HOST:PORT
    tls: Tls | None = None
    listen_without_tls: bool = False
    max_connections: int = 12_000
    template_environment: tuple[str, ...] = ()
    executor: ExecutorSettings = ExecutorSettings()
    api: ApiConfig = ApiConfig()
    agents: AgentTimeouts = AgentTimeouts()
    keep_bundles: int = 20  # bundles kept in the cache beside those in use


NOT_BUILT: schema.NotBuilt = {
    "": frozenset({"database", "api_keys", "roles", "people", "approvals"}),
    "repositories.*": frozenset({"webhook_secret"}),
    "repositories.*.watch": frozenset({"webhook"}),
}


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in *file*; the defaults when it is None. `PENSTOCK_LISTEN` of *environ* overrides `listen`.

    Relative paths start at the folder of *file*. Raises `InvalidFiles` with every mistake, `UserError` when the file
    cannot be read.
    """
    data = {} if file is None else _checked(file)
    folder = Path() if file is None else file.absolute().parent
    return Config(
        file=None if file is None else str(file),
        repositories=tuple(_repository(name, each, folder) for name, each in data.get("repositories", {}).items()),
        hosts=tuple(_host(name, each, folder) for name, each in data.get("hosts", {}).items()),
        load_balancers=tuple(_balancer(name, each, folder) for name, each in data.get("load_balancers", {}).items()),
        notifiers=tuple(_notifier(name, each, folder) for name, each in data.get("notifiers", {}).items()),
        listen=_listen(environ, data.get("listen")),
        tls=_tls(data.get("tls"), folder),
        listen_without_tls=data.get("listen_without_tls", False),
        max_connections=data.get("max_connections", 12_000),
        template_environment=tuple(data.get("template_environment", ())),
        executor=_executor(data.get("executor", {})),
        api=_api(data.get("api", {}), folder),
        agents=_agents(data.get("agents", {})),
        keep_bundles=data.get("keep_bundles", 20),
    )


def check(file: Path) -> list[Mistake]:
    """Every mistake of *file*; empty when all is well. Raises `UserError` when the file cannot be read."""
    try:
        _checked(file)
    except InvalidFiles as error:
        return list(error.mistakes)
    return []


def secret(reference: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """What `env:NAME` or `file:PATH` refers to, now. A file's last line break is not part of the secret.

    Raises `UserError` when it is not there, without ever showing it.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            if not environ.get(name):
                raise UserError(
                    f"the secret {reference} is missing: the environment variable {name} is not set or empty"
                )
            return Secret(environ[name])
        case "file":
            return _secret_file(reference, Path(name))
        case _:
            raise UserError("a secret must be a reference, env:NAME or file:PATH")


def _secret_file(reference: str, path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"the secret {reference} cannot be read: {reason}") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UserError(f"the secret {reference} is empty")
    return Secret(text)


def _checked(file: Path) -> dict[str, Any]:
    return _checked_text(str(file), _text(file))


@functools.lru_cache(maxsize=1)
def _checked_text(file: str, text: str) -> dict[str, Any]:
    """What *text*, of *file*, says; nobody changes it. Some commands look twice, and fleets are large."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidFiles([toml.syntax_mistake(file, text, error)]) from error
    dates = _dates(data)
    dated = {problem.path for problem in dates}
    others = schema.check(data, "config", not_built=NOT_BUILT) + list(_host_problems(data.get("hosts")))
    problems = dates + [problem for problem in others if problem.path not in dated]
    lines = toml.Lines(text)
    mistakes = schema.mistakes(problems, str(file), lines.line)
    mistakes += [
        Mistake(file=str(file), line=lines.line(("repositories", name)), path=f"repositories.{name}", message=message)
        for name, message in _contradictions(data if not problems else {})
    ]
    if mistakes:
        raise InvalidFiles(mistakes)
    return data


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFiles([Mistake(file=str(file), line=0, path="", message="is not UTF-8 text")]) from error
    except OSError as error:
        raise UserError(f"the configuration {file} cannot be read: {error.strerror}") from error


def _dates(data: Any, path: schema.Path = ()) -> list[schema.Problem]:
    """TOML has dates, JSON Schema has not, and no key of ours is one: they are noted, and taken out of *data*."""
    found = []
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        if isinstance(value, (dict, list)):
            found += _dates(value, (*path, key))
        elif isinstance(value, (dt.date, dt.time)):
            found.append(schema.Problem((*path, key), "type", "expected no date; put text in quotes"))
            data[key] = ""
    return found


def _contradictions(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a repository as a whole: its name, and why."""
    found = []
    for name, repository in data.get("repositories", {}).items():
        if "branch" in repository and "branches" in repository:
            found.append((name, "has both branch and branches; write one of them"))
        if "private_key_passphrase" in repository and "private_key" not in repository:
            found.append((name, "has a private_key_passphrase but no private_key"))
        if repository.get("watch") == "files" and _is_remote(repository["url"]):
            found.append((name, 'watch = "files" needs a repository of this machine; use watch = "poll"'))
    return found


def _host_problems(hosts: Any) -> Iterator[schema.Problem]:
    """What a host lacks, or has too much, for its transport."""
    for name, host in hosts.items() if isinstance(hosts, dict) else ():
        if not isinstance(host, dict):
            continue
        over_ssh, has_agent = host.get("transport") == "ssh", host.get("transport") == "agent"
        alien = [] if over_ssh else [key for key in host if key in _SSH_KEYS]
        for key in alien:
            yield schema.Problem(("hosts", name, key), "", 'is for hosts with transport = "ssh"; this one has another')
        folder = host.get("folder")
        if folder is None and not over_ssh and not has_agent and not (alien and "transport" not in host):
            yield schema.Problem(("hosts", name), "required", _NO_FOLDER)
        if (over_ssh or has_agent) and isinstance(folder, str) and not _FOLDER_ON_HOST.fullmatch(folder):
            yield schema.Problem(("hosts", name, "folder"), "pattern", _NOT_ABSOLUTE)


_NO_FOLDER = 'names no folder; give folder = "PATH", which stands for the host\'s /'
_NOT_ABSOLUTE = "expected an absolute path on the host, without line breaks and backslashes"
_FOLDER_ON_HOST = re.compile(r"/[^\\\x00-\x1f]*")


def _repository(name: str, data: dict[str, Any], folder: Path) -> RepositoryConfig:
    branches = data.get("branch", data.get("branches"))
    return RepositoryConfig(
        name=name,
        url=_url(data["url"], folder),
        github=data.get("github"),
        watch=data.get("watch", "poll"),
        branches=("main", "master") if branches is None else _texts(branches),
        tags=_texts(data.get("tags", [])),
        interval=parse_duration(data.get("interval", "60s")),
        credentials=_credentials(data, folder),
        ca_file=_path(data.get("ca_file"), folder),
    )


def _credentials(data: dict[str, Any], folder: Path) -> Credentials | None:
    credentials = Credentials(
        username=data.get("username"),
        password=_reference(data.get("password"), folder),
        private_key=_path(data.get("private_key"), folder),
        private_key_passphrase=_reference(data.get("private_key_passphrase"), folder),
    )
    return credentials if credentials != Credentials() else None


def _host(name: str, data: dict[str, Any], folder: Path) -> Host:
    over_ssh, has_agent = data.get("transport") == "ssh", data.get("transport") == "agent"
    return Host(
        name=name,
        transport=data.get("transport", "local"),
        folder=data.get("folder", "/") if over_ssh or has_agent else str(_path(data["folder"], folder)),
        ssh=_ssh(data, folder) if over_ssh else None,
        tags=data.get("tags", {}),
        environment=data.get("environment", {}),
    )


def _ssh(data: dict[str, Any], folder: Path) -> Ssh:
    return Ssh(
        address=data.get("address"),
        user=data.get("user"),
        port=data.get("port"),
        identity_files=tuple(str(_path(each, folder)) for each in _texts(data.get("identity_file", []))),
        proxy_jump=data.get("proxy_jump"),
        sudo=data.get("sudo", False),
        python=data.get("python"),
        known_hosts=_path(data.get("known_hosts"), folder),
        connect_timeout=parse_duration(data.get("connect_timeout", "10s")),
        command_timeout=parse_duration(data.get("command_timeout", "30s")),
        keepalive=parse_duration(data.get("keepalive", "15s")),
        linger=parse_duration(data.get("linger", "5m")),
    )


_SSH_KEYS = {"identity_file", *Ssh.__struct_fields__} - {"identity_files"}


def _api(data: dict[str, Any], folder: Path) -> ApiConfig:
    return ApiConfig(**data | {"key_file": _path(data.get("key_file"), folder)})


def _executor(data: dict[str, Any]) -> ExecutorSettings:
    return ExecutorSettings(
        plan_before_removing=data.get("plan_before_removing", False),
        keep_inside_bundle=data.get("keep_inside_bundle", False),
        environment_allow=tuple(data.get("environment_allow", ())),
        max_revisions=data.get("max_revisions", 5),
        max_size=parse_size(data["max_size"]) if "max_size" in data else None,
        term_grace=parse_duration(data.get("term_grace", "5s")),
        drain_grace=parse_duration(data.get("drain_grace", "2s")),
    )


def _agents(data: dict[str, Any]) -> AgentTimeouts:
    return AgentTimeouts(
        start=parse_duration(data.get("start_timeout", "5m")),
        event=parse_duration(data.get("event_timeout", "1h")),
        heartbeat=parse_duration(data.get("heartbeat_timeout", "3m")),
    )


def _notifier(name: str, data: dict[str, Any], folder: Path) -> NotifierConfig:
    return NotifierConfig(name=name, url=data["url"], secret=_reference(data.get("secret"), folder))


def _balancer(name: str, data: dict[str, Any], folder: Path) -> LoadBalancerConfig:
    addresses = _texts(data["address"])
    return LoadBalancerConfig(
        name=name,
        type=data["type"],
        addresses=tuple(str(_path(each, folder)) if "/" in each else each for each in addresses),
        servers=data.get("servers", {}),
        drain_timeout=parse_duration(data.get("drain_timeout", "60s")),
        on_drain_timeout=data.get("on_drain_timeout", "continue"),
        up_timeout=parse_duration(data.get("up_timeout", "60s")),
    )


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_remote(url: str) -> bool:
    """`scheme://...` but file, or `user@host:path` (git's rule: a colon before any slash)."""
    if "://" in url:
        return not url.startswith("file://")
    return ":" in url.split("/", 1)[0]


def _url(url: str, folder: Path) -> str:
    """A path becomes absolute; a URL stays as it is."""
    return url if "://" in url or _is_remote(url) else str(_path(url, folder))


def _path(path: str | None, folder: Path) -> str | None:
    return None if path is None else os.path.normpath(folder / Path(path).expanduser())


def _reference(reference: str | None, folder: Path) -> str | None:
    """A secret in a file, by a path that holds wherever the runner is started."""
    if reference is None or not reference.startswith("file:"):
        return reference
    return f"file:{_path(reference.removeprefix('file:'), folder)}"


def _tls(data: dict[str, Any] | None, folder: Path) -> Tls | None:
    if data is None:
        return None
    return Tls(certificate=str(_path(data["certificate"], folder)), private_key=str(_path(data["private_key"], folder)))


def _listen(environ: Mapping[str, str], configured: str | None) -> str | None:
    listen = environ.get("PENSTOCK_LISTEN") or configured
    if listen is None:
        return None
    host, colon, port = listen.rpartition(":")
    if not host or not colon or not port.isdecimal() or int(port) > 65_535:
        raise UserError(f"{listen!r} is no address to listen on; expected HOST:PORT, such as 127.0.0.1:8300")
    return listen
