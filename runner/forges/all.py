"""The forges of one configuration: which repository is where, who logs in, and the notifier that reports."""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Protocol, TypeAlias
from urllib.parse import quote

from runner.config import Config, ForgeConfig, RepositoryConfig
from runner.config.forges import GITHUB, owner_and_name
from runner.errors import UserError, WorldError
from runner.forges.app import ACCEPT, App
from runner.forges.bitbucket import CloudReports, DataCenterReports
from runner.forges.client import Client, Login, Quiet, configured
from runner.forges.cloud_pull_requests import CloudPullRequests
from runner.forges.data_center_pull_requests import DataCenterPullRequests
from runner.forges.github import GitHubReports
from runner.forges.github_pull_requests import GitHubPullRequests
from runner.forges.rest import Api, Deadline
from runner.log import Secret
from runner.model.pull_request import Preview, PullRequest, RolloutNews, RolloutReport
from runner.model.report import Report, Reporting
from runner.model.value import from_plain
from runner.ports import Clock, Message

BITBUCKET = "https://api.bitbucket.org"
_TOTAL = 9.0  # seconds for one message

Password: TypeAlias = Callable[[Secret | None], Secret]
"""The password of git over https, now. Told one that was refused, it gets another. May block; raises `WorldError`."""

Rollout: TypeAlias = Callable[[RolloutNews], RolloutReport]


class _Reports(Protocol):
    def send(self, report: Report, link: str | None, deadline: Deadline) -> None: ...


class _PullRequests(Protocol):
    def open(self, told: Collection[str], deadline: Deadline) -> Sequence[PullRequest]: ...

    def tell(self, wanted: PullRequest, preview: Preview, deadline: Deadline) -> None: ...

    def tell_rollout(self, report: RolloutReport, board: str | None, deadline: Deadline) -> None: ...


class Forges:
    """Reports deployments of the repositories of *config* that ask for it. Implements `Notifier`, and `PullRequests`."""

    def __init__(self, config: Config, clock: Clock, rollout: Rollout | None = None) -> None:
        """*rollout*: how the deployments of a change go at this moment; must be given where pull requests are told."""
        self._config, self._clock, self._rollout = config, clock, rollout
        self._repositories = {each.name: each for each in config.repositories}
        github = config.forges.github
        self._app = App(github, _api(github, GITHUB), clock) if github.app_id else None
        self._made = cache(self._reports)
        self._pull_requests = cache(self._pull_requests_of)
        self._quiet = cache(lambda api, login: Quiet())

    @property
    def reportings(self) -> Sequence[Reporting]:
        """What the store is to write reports of."""
        return tuple(
            Reporting(
                repository=each.name,
                forge=each.report.to,
                github=_name(each).lower() if each.report.to == "github" else None,
                pull_requests=each.report.pull_requests,
            )
            for each in self._repositories.values()
            if each.report
        )

    def password(self, repository: RepositoryConfig) -> Password | None:
        """Of git over https (the user is `x-access-token`), where the GitHub App logs in; else None."""
        app = self._app
        if not repository.github_app or app is None:
            return None
        name = _name(repository)

        def now(refused: Secret | None) -> Secret:
            try:
                return app.token(name, refused)
            except WorldError as error:
                raise WorldError(f"repository {repository.name}: {error}", retryable=error.retryable) from error

        return now

    def send(self, message: Message) -> None:
        """As `Notifier.send`; the message's body is a `Report`, or `RolloutNews`."""
        if message.body.get("kind") == "rollout":
            self._send_rollout(from_plain(message.body, RolloutNews))
            return
        report = from_plain(message.body, Report)
        board = self._config.dashboard_url
        link = f"{board.rstrip('/')}/deployments/{report.deployment_id}" if board else None
        self._made(message.to).send(report, link, Deadline(_TOTAL))

    def open(self, repository: str, told: Collection[str] = ()) -> Sequence[PullRequest]:
        """As `PullRequests.open`."""
        return self._pull_requests(repository).open(told, Deadline(_TOTAL))

    def tell(self, pull_request: PullRequest, preview: Preview) -> None:
        """As `PullRequests.tell`."""
        self._pull_requests(pull_request.repository).tell(pull_request, preview, Deadline(_TOTAL))

    def _send_rollout(self, news: RolloutNews) -> None:
        assert self._rollout is not None
        self._pull_requests(news.repository).tell_rollout(
            self._rollout(news), self._config.dashboard_url, Deadline(_TOTAL)
        )

    def _pull_requests_of(self, name: str) -> _PullRequests:
        repository = self._repositories.get(name)
        if repository is None or repository.report is None or not repository.report.pull_requests:
            raise UserError(f"the runner's configuration does not have pull requests of {name} told any more")
        own, forges = quote(_name(repository), safe="/~"), self._config.forges
        match repository.report.to:
            case "github":
                client = self._client(repository, _api(forges.github, GITHUB), ACCEPT)
                app_id = forges.github.app_id if repository.report.token is None else None
                return GitHubPullRequests(client, name, own, app_id)
            case "bitbucket":
                client = self._client(repository, _api(forges.bitbucket, BITBUCKET))
                return CloudPullRequests(client, name, own, repository.branches)
            case "bitbucket-data-center":
                api = _api(forges.bitbucket_data_center, "")
                return DataCenterPullRequests(self._client(repository, api), name, own, api.url)

    def _reports(self, to: str) -> _Reports:
        forge, _, name = to.partition(":")
        repository = self._repositories.get(name)
        if repository is None or repository.report is None or repository.report.to != forge:
            raise UserError(f"the runner's configuration does not report {name} to {forge} any more")
        own, forges = quote(_name(repository), safe="/~"), self._config.forges
        match repository.report.to:
            case "github":
                client = self._client(repository, _api(forges.github, GITHUB), ACCEPT)
                by_application = repository.report.environment == "application/group"
                return GitHubReports(client, own, by_application=by_application)
            case "bitbucket":
                return CloudReports(self._client(repository, _api(forges.bitbucket, BITBUCKET)), own)
            case "bitbucket-data-center":
                api = _api(forges.bitbucket_data_center, "")
                by_application = repository.report.environment == "application/group"
                return DataCenterReports(self._client(repository, api), own, api.url, by_application=by_application)

    def _client(self, repository: RepositoryConfig, api: Api, headers: dict[str, str] | None = None) -> Client:
        report = repository.report
        assert report is not None
        if report.token is not None:
            login, known_by = configured(report.token), report.token
        else:
            login, known_by = self._app_login(repository), f"app {_name(repository).partition('/')[0]}"
        quiet = self._quiet(api, known_by)
        return Client(api, login, quiet, self._clock, username=report.username, headers=headers)

    def _app_login(self, repository: RepositoryConfig) -> Login:
        app, name = self._app, _name(repository)
        if app is None:
            raise UserError(f"repository {repository.name} is reported without a token")
        return lambda refused, deadline: app.token(name, refused, deadline)


def _api(forge: ForgeConfig, usual: str) -> Api:
    return Api(forge.api_url or usual, forge.ca_file)


def _name(repository: RepositoryConfig) -> str:
    return owner_and_name(repository.url, repository.github) or repository.name
