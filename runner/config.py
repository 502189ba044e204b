"""The runner's own configuration: `penstock.toml`, checked against `schemas/config.schema.json`, as values.

Secrets are references (`env:NAME`, `file:PATH`); they are looked up when they are used, never when they are read.
"""

import datetime as dt
from typing import Literal

from runner.model.target import Host
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
    *ca_file*: certificates to trust for https beside the system's.
    """

    name: str
    url: str
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


class Config(Value, frozen=True, kw_only=True):
    """Everything of `penstock.toml`. *template_environment*: variable names that manifests may read as `env.NAME`."""

    file: str | None = None
    repositories: tuple[RepositoryConfig, ...] = ()
    hosts: tuple[Host, ...] = ()
    notifiers: tuple[NotifierConfig, ...] = ()
    listen: str | None = None  # HOST:PORT
    template_environment: tuple[str, ...] = ()
    keep_bundles: int = 20  # bundles kept in the cache beside those in use
