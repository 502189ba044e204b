"""Checked data into values. Relative paths start at *folder*, that of the file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.config.settings import (
    ApiConfig,
    Credentials,
    ForgeConfig,
    ForgesConfig,
    InstancesConfig,
    LoadBalancerConfig,
    NotifierConfig,
    RegistryConfig,
    ReportConfig,
    RepositoryConfig,
    SignaturesConfig,
    Tls,
    WebhookConfig,
)
from runner.errors import UserError
from runner.model.aws import AwsSettings
from runner.model.duration import parse_duration
from runner.model.executor import ExecutorSettings
from runner.model.host_command import AgentTimeouts
from runner.model.size import parse_size
from runner.model.target import Host, Ssh


def repository(name: str, data: dict[str, Any], folder: Path) -> RepositoryConfig:
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
        webhook=_webhook(data.get("webhook"), folder),
        github_app=data.get("github_app", False),
        report=_report(data.get("report"), folder),
        signatures=_signatures(data),
    )


def protected_branch(data: dict[str, Any]) -> str | None:
    """Where a repository's signers are listed: the branch named for it, else the first watched without a wildcard."""
    named = data.get("signatures", {}).get("branch")
    branches = data.get("branch", data.get("branches", ["main", "master"]))
    return named or next((each for each in _texts(branches) if not set(each) & set("*?[")), None)


def _signatures(data: dict[str, Any]) -> SignaturesConfig | None:
    given, branch = data.get("signatures"), protected_branch(data)
    return None if given is None or branch is None else SignaturesConfig(**given | {"branch": branch})


def _report(data: dict[str, Any] | None, folder: Path) -> ReportConfig | None:
    return None if data is None else ReportConfig(**data | {"token": _reference(data.get("token"), folder)})


def forges(data: dict[str, Any], folder: Path) -> ForgesConfig:
    return ForgesConfig(**{name.replace("-", "_"): _forge(of, folder) for name, of in data.items()})


def _forge(data: dict[str, Any], folder: Path) -> ForgeConfig:
    app_id = data.get("app_id")
    return ForgeConfig(
        api_url=data["api_url"].rstrip("/") if "api_url" in data else None,
        ca_file=_path(data.get("ca_file"), folder),
        app_id=None if app_id is None else str(app_id),
        private_key=_reference(data.get("private_key"), folder),
    )


def _webhook(data: dict[str, Any] | None, folder: Path) -> WebhookConfig | None:
    if data is None:
        return None
    secrets = tuple(str(_reference(each, folder)) for each in data["secrets"])
    return WebhookConfig(sender=data["from"], secrets=secrets)


def _credentials(data: dict[str, Any], folder: Path) -> Credentials | None:
    credentials = Credentials(
        username=data.get("username"),
        password=_reference(data.get("password"), folder),
        private_key=_path(data.get("private_key"), folder),
        private_key_passphrase=_reference(data.get("private_key_passphrase"), folder),
    )
    return credentials if credentials != Credentials() else None


def host(name: str, data: dict[str, Any], folder: Path) -> Host:
    over_ssh, has_agent = data.get("transport") == "ssh", data.get("transport") == "agent"
    return Host(
        name=name,
        transport=data.get("transport", "local"),
        folder=data.get("folder", "/") if over_ssh or has_agent else str(_path(data["folder"], folder)),
        ssh=_ssh(data, folder) if over_ssh else None,
        tags=data.get("tags", {}),
        environment=data.get("environment", {}),
        instance=data.get("instance", ""),
    )


def instances(data: dict[str, Any], folder: Path) -> InstancesConfig:
    return InstancesConfig(
        transport=data.get("transport", "ssh"),
        address=data.get("address", "private_ip"),
        folder=data.get("folder", "/"),
        ssh=_ssh({key: value for key, value in data.items() if key != "address"}, folder),
        environment=data.get("environment", {}),
        drain_timeout=parse_duration(data.get("drain_timeout", "65m")),
        up_timeout=parse_duration(data.get("up_timeout", "1h")),
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


SSH_KEYS = {"identity_file", *Ssh.__struct_fields__} - {"identity_files"}


def api(data: dict[str, Any], folder: Path) -> ApiConfig:
    return ApiConfig(**data | {"key_file": _path(data.get("key_file"), folder)})


def executor(data: dict[str, Any]) -> ExecutorSettings:
    return ExecutorSettings(
        plan_before_removing=data.get("plan_before_removing", False),
        keep_inside_bundle=data.get("keep_inside_bundle", False),
        environment_allow=tuple(data.get("environment_allow", ())),
        max_revisions=data.get("max_revisions", 5),
        max_size=parse_size(data["max_size"]) if "max_size" in data else None,
        term_grace=parse_duration(data.get("term_grace", "5s")),
        drain_grace=parse_duration(data.get("drain_grace", "2s")),
    )


def agents(data: dict[str, Any]) -> AgentTimeouts:
    return AgentTimeouts(
        start=parse_duration(data.get("start_timeout", "5m")),
        event=parse_duration(data.get("event_timeout", "1h")),
        heartbeat=parse_duration(data.get("heartbeat_timeout", "3m")),
    )


def aws(data: dict[str, Any]) -> AwsSettings:
    return AwsSettings(
        requests_per_second=data.get("requests_per_second", {}),
        assume_service_roles=data.get("assume_service_roles", True),
        alarm_interval=parse_duration(data.get("alarm_interval", "10s")),
    )


def registry(host: str, data: dict[str, Any], folder: Path) -> RegistryConfig:
    return RegistryConfig(host=host, username=data["username"], password=str(_reference(data["password"], folder)))


def notifier(name: str, data: dict[str, Any], folder: Path) -> NotifierConfig:
    return NotifierConfig(name=name, url=data["url"], secret=_reference(data.get("secret"), folder))


def balancer(name: str, data: dict[str, Any], folder: Path) -> LoadBalancerConfig:
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


def is_remote(url: str) -> bool:
    """`scheme://...` but file, or `user@host:path` (git's rule: a colon before any slash)."""
    if "://" in url:
        return not url.startswith("file://")
    return ":" in url.split("/", 1)[0]


def _url(url: str, folder: Path) -> str:
    """A path becomes absolute; a URL stays as it is."""
    return url if "://" in url or is_remote(url) else str(_path(url, folder))


def _path(path: str | None, folder: Path) -> str | None:
    return None if path is None else os.path.normpath(folder / Path(path).expanduser())


def _reference(reference: str | None, folder: Path) -> str | None:
    """A secret in a file, by a path that holds wherever the runner is started."""
    if reference is None or not reference.startswith("file:"):
        return reference
    return f"file:{_path(reference.removeprefix('file:'), folder)}"


def tls(data: dict[str, Any] | None, folder: Path) -> Tls | None:
    if data is None:
        return None
    return Tls(certificate=str(_path(data["certificate"], folder)), private_key=str(_path(data["private_key"], folder)))


def listen(environ: Mapping[str, str], configured: str | None) -> str | None:
    listen = environ.get("PENSTOCK_LISTEN") or configured
    if listen is None:
        return None
    host, colon, port = listen.rpartition(":")
    if not host or not colon or not port.isdecimal() or int(port) > 65_535:
        raise UserError(f"{listen!r} is no address to listen on; expected HOST:PORT, such as 127.0.0.1:8300")
    return listen
