"""Identity as the endpoint has it: a verifier on a real database, at a time that the test sets."""

import datetime as dt
from pathlib import Path

from runner.api.identity.failures import Failures
from runner.api.identity.verifier import Verifier
from runner.model.identity import Role
from runner.ports.identity import IssuedKey, SignedRequest
from runner.store.database import Database
from runner.store.keys import Keys
from runner.store.sealing import Seal

T0 = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


class Door:
    """*now*: what the clock says; *seconds*: the time that limits go by."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.seconds = folder, T0, 0.0
        self.database = Database(folder)
        self.keys = Keys(self.database, Seal(folder / "keys.key"))
        self.verifier = Verifier(self.keys, lambda: self.now, Failures(lambda: self.seconds))

    def key(self, role: Role = "admin", host: str | None = None) -> IssuedKey:
        return self.keys.create(role, host, "", T0)

    def identify(self, request: SignedRequest, *services: str) -> str:
        """The ID of the key."""
        wanted = frozenset(services or ("codedeploy-commands", "codedeploy", "s3"))
        return self.verifier.identify(request, wanted).access_key_id
