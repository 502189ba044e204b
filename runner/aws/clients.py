"""boto3's clients, one for each place, service and time-out, and the credentials behind them."""

import threading
from functools import partial
from typing import Any

from runner.model.aws import AwsPlace

_CONNECT = 5  # seconds
_CONNECTIONS = 50  # kept open by one client; more are made when needed
_STS_TIMEOUT = 10
SESSION = "penstock"  # what CloudTrail shows beside the role


class Clients:
    """Makes each client once. Thread-safe; a client may be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loader: Any = None
        self._sessions: dict[AwsPlace, Any] = {}
        self._generations: dict[AwsPlace, int] = {}
        self._clients: dict[tuple[AwsPlace, str, float], Any] = {}

    def client(self, place: AwsPlace, service: str, timeout: float) -> Any:
        """A client that never repeats anything itself. *timeout*: seconds without a byte of the answer."""
        key = (place, service, timeout)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._session(place).client(service, config=_config(timeout))
            return self._clients[key]

    def generation(self, place: AwsPlace) -> int:
        """How often *place* was begun anew."""
        with self._lock:
            return self._generations.get(place, 0)

    def forget(self, place: AwsPlace, generation: int) -> None:
        """Begin anew at *place*: its credentials are looked up again, also in files that have changed.

        Only once after *generation*, however many calls have failed by the same credentials.
        """
        with self._lock:
            if self._generations.get(place, 0) != generation:
                return
            self._generations[place] = generation + 1
            for stale in (place, AwsPlace(region=place.region)):
                self._sessions.pop(stale, None)
            for key in [key for key in self._clients if key[0] == place]:
                del self._clients[key]

    def _session(self, place: AwsPlace) -> Any:
        if place not in self._sessions:
            self._sessions[place] = self._new_session(place)
        return self._sessions[place]

    def _new_session(self, place: AwsPlace) -> Any:
        import boto3
        import botocore.session

        core = botocore.session.Session()
        if self._loader is None:
            self._loader = core.get_component("data_loader")
        core.register_component("data_loader", self._loader)  # service models are read once, not for each session
        if place.region:
            core.set_config_variable("region", place.region)
        if place.role:
            own = self._session(AwsPlace(region=place.region))
            core.register_component("credential_provider", _As(place.role, own))
        return boto3.session.Session(botocore_session=core)


class _As:
    """Where a session finds its credentials: those of *role*, assumed with the credentials of the session *own*."""

    def __init__(self, role: str, own: Any) -> None:
        self._role = role
        self._own = own

    def load_credentials(self) -> Any:
        """Credentials that are renewed before they expire, for as long as the process lives."""
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
        from botocore.exceptions import NoCredentialsError

        credentials = self._own.get_credentials()
        if credentials is None:
            raise NoCredentialsError()
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(self._own.client, config=_config(_STS_TIMEOUT)),
            source_credentials=credentials,
            role_arn=self._role,
            extra_args={"RoleSessionName": SESSION},
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")


def _config(timeout: float) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=min(_CONNECT, timeout),
        read_timeout=timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        user_agent_extra="penstock",
    )
