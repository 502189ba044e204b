"""AllowTraffic: the alias is changed only while it is as this deployment, or whom it replaces, has left it.

Every write names the RevisionId that it replaces, so Lambda itself refuses it when anybody has written in between. An act
that is repeated after a crash finds its own write like that of a stranger, knows it by what it says, and confirms it.
"""

from runner.aws import AwsError
from runner.platforms.functions.alias import Alias, Split, read
from runner.platforms.functions.calls import INVALID, NOT_FOUND, PRECONDITION, ActFailed, Lambda
from runner.platforms.functions.words import reset, where


class Mover:
    """One alias, on its way to *wanted*. *ours*: how it may be before, by our own doing."""

    def __init__(self, aws: Lambda, function: str, alias: str, wanted: Split, ours: frozenset[Split]) -> None:
        self._aws, self._function, self._alias = aws, function, alias
        self._wanted, self._ours = wanted, ours | {wanted}
        self._names = {"FunctionName": function, "Name": alias}

    async def move(self, revision_id: str | None) -> Alias:
        """Replace what has *revision_id*, or what we wrote after it. None: whatever is ours.

        Raises `ActFailed`, also where somebody else has changed the alias, which then stays as it is.
        """
        try:
            token = revision_id or (await self._look(None)).revision_id
            while (written := await self._write(token)) is None:
                token = (await self._look(token)).revision_id
            return written
        except AwsError as error:
            raise self._refused(error) from error

    async def _write(self, token: str) -> Alias | None:
        """None: the alias has another RevisionId by now."""
        try:
            answer = await self._aws.call("update_alias", **self._names, **self._wanted.request, RevisionId=token)
        except AwsError as error:
            if error.aws_code != PRECONDITION:
                raise
            if self._aws.is_late:
                raise ActFailed("TIMEOUT", f"{self._where} changes all the time, so it could not be set") from error
            return None
        return read(answer)

    async def _look(self, replaced: str | None) -> Alias:
        """The alias as it is now, which is ours. A read may lag behind a write, so one that is not as expected is repeated.

        *replaced*: the RevisionId that it has no longer.
        """
        end = self._aws.pace.clock() + self._aws.pace.settle
        while True:
            alias = read(await self._aws.call("get_alias", **self._names))
            settled = self._aws.pace.clock() >= end
            if alias.split in self._ours and (settled or alias.revision_id != replaced):
                return alias
            if settled:
                raise self._foreign(alias)
            await self._aws.pause(self._aws.pace.again)

    def _foreign(self, found: Alias) -> ActFailed:
        expected = " or ".join(sorted(str(split) for split in self._ours - {self._wanted})) or str(self._wanted)
        return ActFailed(
            "INVALID_LAMBDA_CONFIGURATION",
            f"{self._where} was changed by somebody else during this deployment: it should send its requests to "
            f"{expected}, and sends them to {found.split}. It was left as it is. Find out who changed it (CloudTrail, "
            f"UpdateAlias), give it the one version that should serve: {self._reset()}, and deploy again.",
        )

    def _refused(self, error: AwsError) -> ActFailed:
        if error.aws_code in (NOT_FOUND, INVALID):
            message = f"{error.message}. {self._where} was to send its requests to {self._wanted}."
            return ActFailed("INVALID_LAMBDA_CONFIGURATION", message)
        return ActFailed(error.code, error.message)

    def _reset(self) -> str:
        return reset(self._aws.place, self._function, self._alias)

    @property
    def _where(self) -> str:
        return where(self._aws.place, self._function, self._alias)
