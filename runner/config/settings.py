"""The configuration as values. Secrets are references; see `runner.config.secrets`."""

import datetime as dt
from typing import Literal

from runner.model.aws import AwsSettings
from runner.model.delivery import Sender
from runner.model.executor import ExecutorSettings
from runner.model.host_command import AgentTimeouts
from runner.model.report import Forge
from runner.model.target import Host, Ssh
from runner.model.value import Value


class Credentials(Value, frozen=True, kw_only=True):
    """How to reach a private repository. *password* and *private_key_passphrase* are secret references."""

    username: str | None = None
    password: str | None = None
    private_key: str | None = None  # path of a key file
    private_key_passphrase: str | None = None


class WebhookConfig(Value, frozen=True, kw_only=True):
    """Who tells that a repository may have changed. *secrets*: one or two references; any of them may have signed."""

    sender: Sender
    secrets: tuple[str, ...]


class ReportConfig(Value, frozen=True, kw_only=True):
    """That deployments of a repository are reported to the forge that it is on. *token*: a secret reference.

    *username*: for a token that goes with a name, as a password. *environment*: what a deployment's environment there is
    called after. *pull_requests*: they are told what merging them would deploy, and then how that goes.
    """

    to: Forge
    token: str | None = None
    username: str | None = None
    environment: Literal["group", "application/group"] = "group"
    pull_requests: bool = False


class SignaturesConfig(Value, frozen=True, kw_only=True):
    """That commits of a repository must be signed, and where the signers are listed: files of the repository, as they are on
    *branch*. *required* False: only where a manifest demands it.
    """

    branch: str
    required: bool = True
    allowed_signers: str = ".penstock/allowed_signers"  # OpenSSH's
    revoked_keys: str = ".penstock/revoked_keys"  # OpenSSH's
    allowed_keys: str = ".penstock/allowed_keys.asc"  # OpenPGP's
    allowed_certificates: str = ".penstock/allowed_certificates.pem"  # X.509's
    revoked_certificates: str = ".penstock/revoked_certificates.pem"  # and revocation lists


class RepositoryConfig(Value, frozen=True, kw_only=True):
    """One repository to watch. *branches* and *tags* are globs; a ref that matches none is not looked at.

    *watch*: `poll` asks the remote every *interval*; `files` waits for the file system of a local repository.
    *ca_file*: certificates to trust for https beside the system's. *github*: `OWNER/NAME`, for a mirror of a repository
    on GitHub: revisions that name that one are taken from here. *github_app*: log in as the App of `forges.github`.
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
    webhook: WebhookConfig | None = None
    github_app: bool = False
    report: ReportConfig | None = None
    signatures: SignaturesConfig | None = None


class ForgeConfig(Value, frozen=True, kw_only=True):
    """A forge whose API is asked. *api_url*: without a slash at its end; None: the public one's.

    *ca_file*: as a repository has it. *app_id* and *private_key* (a secret reference): the GitHub App that we are.
    """

    api_url: str | None = None
    ca_file: str | None = None
    app_id: str | None = None
    private_key: str | None = None


class ForgesConfig(Value, frozen=True, kw_only=True):
    github: ForgeConfig = ForgeConfig()
    bitbucket: ForgeConfig = ForgeConfig()
    bitbucket_data_center: ForgeConfig = ForgeConfig()


class RegistryConfig(Value, frozen=True, kw_only=True):
    """How to log in to a registry of container images. *host*: as images name it. *password* is a secret reference."""

    host: str
    username: str
    password: str


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


class InstancesConfig(Value, frozen=True, kw_only=True):
    """How EC2 instances are reached that no configured host names.

    *address*: which of an instance's own addresses SSH takes; `ssh.address` is not used. *folder*, *environment*: as a
    host has them. *drain_timeout*: how long load balancers in AWS may take to let go of one; *up_timeout*: until they
    find it healthy.
    """

    transport: Literal["ssh", "agent"] = "ssh"
    address: Literal["private_ip", "public_ip", "private_dns", "public_dns"] = "private_ip"
    folder: str = "/"
    ssh: Ssh = Ssh()
    environment: dict[str, str] = {}
    drain_timeout: dt.timedelta = dt.timedelta(minutes=65)  # the longest deregistration delay is an hour
    up_timeout: dt.timedelta = dt.timedelta(hours=1)


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
    registries: tuple[RegistryConfig, ...] = ()
    notifiers: tuple[NotifierConfig, ...] = ()
    forges: ForgesConfig = ForgesConfig()
    dashboard_url: str | None = None
    listen: str | None = None  # HOST:PORT
    tls: Tls | None = None
    listen_without_tls: bool = False
    max_connections: int = 12_000
    template_environment: tuple[str, ...] = ()
    executor: ExecutorSettings = ExecutorSettings()
    api: ApiConfig = ApiConfig()
    agents: AgentTimeouts = AgentTimeouts()
    aws: AwsSettings = AwsSettings()
    instances: InstancesConfig = InstancesConfig()
    keep_bundles: int = 20  # bundles kept in the cache beside those in use
