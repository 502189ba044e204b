"""Contents in S3, below a prefix of a bucket. What may be done once is a PUT with a condition."""

import time
from collections.abc import Iterable
from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import WorldError
from runner.model.aws import AwsPlace, AwsSettings
from runner.ports.state_objects import Found

PATIENCE = 30.0  # seconds for which a request is tried again
_AT_THE_START = 5.0  # as long as nothing was answered yet: then it is a wrong address rather than a trouble that passes
_TIMEOUT = 15.0  # seconds without a byte of the answer
_BESIDE = 0.2  # seconds after which a PUT that met another one is tried again
_PAGE = 1000  # names, in one answer and in one request to remove
_PLACE = AwsPlace()
_RATE = {"s3": 1000.0}  # a budget of its own: a commit must not wait for its turn


class S3Objects:
    """Region, credentials and endpoint come from boto3's own chain."""

    def __init__(self, bucket: str, prefix: str, aws: Aws | None = None) -> None:
        """*prefix*: without a slash at its end; may be empty."""
        self._aws = aws or Aws(AwsSettings(requests_per_second=_RATE))
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._answered = False

    @property
    def address(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def create(self, name: str, content: bytes) -> str | None:
        return self._put(name, content, IfNoneMatch="*")

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        return self._put(name, content, IfMatch=tag)

    def find(self, name: str) -> Found | None:
        try:
            answer = self._call("get_object", Key=self._prefix + name)
        except AwsError as error:
            if error.aws_code == "NoSuchKey":
                return None
            raise self._in_words(error) from error
        now = _date(answer["ResponseMetadata"]["HTTPHeaders"].get("date"))
        return Found(answer["Body"], answer["ETag"], max(0.0, now - answer["LastModified"].timestamp()))

    def names(self, prefix: str, after: str = "") -> list[str]:
        found: list[str] = []
        more: dict[str, Any] = {"StartAfter": self._prefix + after} if after else {}
        while True:
            try:
                answer = self._call("list_objects_v2", Prefix=self._prefix + prefix, MaxKeys=_PAGE, **more)
            except AwsError as error:
                raise self._in_words(error) from error
            found += [each["Key"].removeprefix(self._prefix) for each in answer.get("Contents", [])]
            if not answer.get("IsTruncated"):
                return found
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def remove(self, names: Iterable[str]) -> None:
        doomed = [{"Key": self._prefix + each} for each in names]
        for start in range(0, len(doomed), _PAGE):
            some = doomed[start : start + _PAGE]
            try:
                answer = self._call("delete_objects", Delete={"Objects": some, "Quiet": True})
            except AwsError as error:
                raise self._in_words(error) from error
            for failed in answer.get("Errors", [])[:1]:
                raise WorldError(
                    f"{failed.get('Key')} in {self.address} cannot be removed: {failed.get('Code')}: "
                    f"{failed.get('Message')}",
                    retryable=False,
                )

    def beside(self) -> "S3Objects":
        return self  # its client has as many connections as it needs

    def close(self) -> None:
        """Nothing is open."""

    def _put(self, name: str, content: bytes, **condition: str) -> str | None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._call("put_object", Key=self._prefix + name, Body=content, **condition)
                return str(answer["ETag"])
            except AwsError as error:
                # A replacement finds nothing (404) where the object has gone.
                if error.aws_code in ("PreconditionFailed", "412", "NoSuchKey"):
                    return None
                if error.aws_code != "ConditionalRequestConflict" or time.monotonic() > end:
                    raise self._in_words(error) from error
                time.sleep(_BESIDE)  # another PUT of the same name was under way

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        patience = PATIENCE if self._answered else _AT_THE_START
        answer = self._aws.call(
            _PLACE, "s3", operation, {"Bucket": self._bucket, **params}, patience=patience, timeout=_TIMEOUT
        )
        self._answered = True
        return answer

    def _in_words(self, error: AwsError) -> WorldError:
        if error.aws_code == "NoSuchBucket":
            said = f"there is no bucket {self._bucket}, which the state is to be kept in; make it, or name another"
            return WorldError(said, retryable=False)
        said = f"the state in {self.address} cannot be reached: {error.message}"
        return WorldError(said, retryable=error.retryable)


def _date(text: str | None) -> float:
    """The clock of S3, so that none of ours is asked what time it is; this machine's where it does not say."""
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(text).timestamp() if text else time.time()
