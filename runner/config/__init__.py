"""The runner's own configuration: `penstock.toml`, checked against `schemas/config.schema.json`, as values."""

import os
from collections.abc import Mapping
from pathlib import Path

from runner.config import values
from runner.config.checking import NOT_BUILT, check, checked
from runner.config.secrets import secret
from runner.config.settings import (
    ApiConfig,
    Config,
    Credentials,
    ForgeConfig,
    ForgesConfig,
    InstancesConfig,
    Listening,
    LoadBalancerConfig,
    NotifierConfig,
    RegistryConfig,
    ReportConfig,
    RepositoryConfig,
    SignaturesConfig,
    Tls,
    WebhookConfig,
)

__all__ = [
    "NOT_BUILT",
    "ApiConfig",
    "Config",
    "Credentials",
    "ForgeConfig",
    "ForgesConfig",
    "InstancesConfig",
    "Listening",
    "LoadBalancerConfig",
    "NotifierConfig",
    "RegistryConfig",
    "ReportConfig",
    "RepositoryConfig",
    "SignaturesConfig",
    "Tls",
    "WebhookConfig",
    "check",
    "load",
    "secret",
]


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in *file*; the defaults when it is None. `PENSTOCK_LISTEN` of *environ* overrides `listen`.

    Relative paths start at the folder of *file*. Raises `InvalidFiles` with every mistake, `UserError` when the file
    cannot be read.
    """
    data = {} if file is None else checked(file)
    folder = Path() if file is None else file.absolute().parent

    def each(table: str) -> list[tuple[str, dict[str, object]]]:
        return list(data.get(table, {}).items())

    return Config(
        file=None if file is None else str(file),
        repositories=tuple(values.repository(name, of, folder) for name, of in each("repositories")),
        hosts=tuple(values.host(name, of, folder) for name, of in each("hosts")),
        load_balancers=tuple(values.balancer(name, of, folder) for name, of in each("load_balancers")),
        registries=tuple(values.registry(name, of, folder) for name, of in each("registries")),
        notifiers=tuple(values.notifier(name, of, folder) for name, of in each("notifiers")),
        forges=values.forges(data.get("forges", {}), folder),
        dashboard_url=data.get("dashboard_url"),
        listen=values.listen(environ, data.get("listen")),
        tls=values.tls(data.get("tls"), folder),
        listen_without_tls=data.get("listen_without_tls", False),
        max_connections=data.get("max_connections", 12_000),
        template_environment=tuple(data.get("template_environment", ())),
        executor=values.executor(data.get("executor", {})),
        api=values.api(data.get("api", {}), folder),
        agents=values.agents(data.get("agents", {})),
        aws=values.aws(data.get("aws", {})),
        instances=values.instances(data.get("instances", {}), folder),
        keep_bundles=data.get("keep_bundles", 20),
    )
