"""Objects in S3: pinned without a download, then downloaded exactly as pinned. The only source that imports boto3.

Region, credentials and endpoint come from boto3's own chain (environment, `~/.aws`, the machine's role).
"""

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from typing import IO, Any, Protocol

from runner.errors import InvalidRevision, RevisionDoesNotExist, RunnerError, WorldError
from runner.model.revision import S3Location, S3Revision
from runner.sources.documents import LONGEST

_CHUNK = 1024 * 1024
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
_DENIED = frozenset({"403", "401", "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem"})
_WRONG_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)


class Destination(Protocol):
    """Where a download goes."""

    def expect(self, size: int) -> None: ...

    def write(self, data: bytes) -> object: ...


class _Small:
    """Keeps a document in memory."""

    def __init__(self, revision: S3Revision) -> None:
        self._revision = revision
        self.parts: list[bytes] = []

    def expect(self, size: int) -> None:
        if size > LONGEST:
            url = f"s3://{self._revision.bucket}/{self._revision.key}"
            raise InvalidRevision(f"{url} is {size:,} bytes long; a document may have {LONGEST:,} (1 MiB)")

    def write(self, data: bytes) -> object:
        self.parts.append(data)
        return None


class Objects:
    """The buckets that this process may read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._clients: dict[int, Any] = {}  # by process: a client does not survive a fork

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        """Pin *location* by one HEAD. See the port `Sources`."""
        url = f"s3://{location.bucket}/{location.key}"
        asked = {"VersionId": location.version} if location.version else {}
        with self._translated(location.bucket, location.key, location.version):
            head = self._client().head_object(Bucket=location.bucket, Key=location.key, **asked)
        etag, version = head["ETag"].strip('"'), head.get("VersionId")
        if location.etag and location.etag.strip('"') != etag:
            raise _changed(url, location.etag.strip('"'), etag)
        if location.pin == "version" and version in (None, "null"):
            raise InvalidRevision(
                f"{url} has no version, so it cannot be pinned by it; switch on versions, or pin etag"
            )
        held = location.pin == "version" or location.version
        return S3Revision(
            bucket=location.bucket,
            key=location.key,
            bundle_type=location.bundle_type,
            etag=etag,
            version=version if held else None,
            commit_id=commit_id,
        )

    def pin(self, revision: S3Revision) -> S3Revision:
        """The object that *revision* names now, held by its ETag and, in a versioned bucket, by its version."""
        asked = {"VersionId": revision.version} if revision.version else {}
        with self._translated(revision.bucket, revision.key, revision.version):
            head = self._client().head_object(Bucket=revision.bucket, Key=revision.key, **asked)
        version = head.get("VersionId")
        return S3Revision(
            bucket=revision.bucket,
            key=revision.key,
            bundle_type=revision.bundle_type,
            etag=head["ETag"].strip('"'),
            version=None if version in (None, "null") else version,
            commit_id=revision.commit_id,
        )

    def download(self, revision: S3Revision, out: Destination) -> None:
        """Write the object to *out*, and be sure that it is the one that was pinned.

        Raises `InvalidRevision` when it changed, `RevisionDoesNotExist` when it is gone, `WorldError`.
        """
        url = f"s3://{revision.bucket}/{revision.key}"
        assert revision.etag is not None, "a revision is pinned before it is downloaded"
        pin = {"VersionId": revision.version} if revision.version else {"IfMatch": f'"{revision.etag}"'}
        with self._translated(revision.bucket, revision.key, revision.version, revision.etag):
            answer = self._client().get_object(Bucket=revision.bucket, Key=revision.key, **pin)
            with contextlib.closing(answer["Body"]) as body:
                etag = answer["ETag"].strip('"')
                if etag != revision.etag:
                    raise _changed(url, revision.etag, etag)
                out.expect(answer["ContentLength"])
                digest = _copy(body, out)
        if _is_md5(revision, answer) and digest != revision.etag:
            raise WorldError(f"{url} arrived damaged: its MD5 is {digest}, its ETag says {revision.etag}")

    def read(self, revision: S3Revision) -> bytes:
        """A small object as a whole, checked as `download` does. Raises `InvalidRevision` over 1 MiB as well."""
        into = _Small(revision)
        self.download(revision, into)
        return b"".join(into.parts)

    def _client(self) -> Any:
        with self._guard:
            if os.getpid() not in self._clients:
                self._clients[os.getpid()] = _new_client()
            return self._clients[os.getpid()]

    @contextlib.contextmanager
    def _translated(self, bucket: str, key: str, version: str | None, etag: str | None = None) -> Iterator[None]:
        """botocore's errors as ours. An OSError of the disk that is written to passes."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._refusal(error.response, bucket, key, version, etag) from error
        except BotoCoreError as error:
            raise _trouble(error, f"s3://{bucket}/{key}") from error

    def _refusal(self, response: Any, bucket: str, key: str, version: str | None, etag: str | None) -> RunnerError:
        """What a status means. HEAD has no body, so a 404 alone does not say whether the bucket is there."""
        said, url = response["Error"], f"s3://{bucket}/{key}"
        code, status = said.get("Code", ""), response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in ("412", "PreconditionFailed"):
            return _changed(url, etag or "", self._etag_now(bucket, key))
        if code == "NoSuchBucket" or (code in _MISSING and not self._has_bucket(bucket)):
            return RevisionDoesNotExist(f"there is no bucket {bucket} (wanted for {url})")
        if code in _MISSING or (code == "405" and version):  # 405: the version is a delete marker
            return RevisionDoesNotExist(
                f"there is no {url}{f' of version {version}' if version else ''}; was it uploaded?"
            )
        if version and status == 400:
            return RevisionDoesNotExist(f"{url} cannot have a version {version!r}: {said.get('Message') or code}")
        if code in _WRONG_KEYS:
            return WorldError(f"the AWS credentials were refused for {url}: {said.get('Message') or code}")
        if code in _DENIED:
            return WorldError(
                f"access to {url} was denied; s3:GetObject is needed (and s3:GetObjectVersion for a version). Without "
                "s3:ListBucket, S3 says the same of an object that is not there"
            )
        return WorldError(f"S3 did not give {url}: {code} {said.get('Message', '')}".rstrip())

    def _has_bucket(self, bucket: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client().head_bucket(Bucket=bucket)
        except ClientError as error:
            return bool(error.response["Error"].get("Code") not in _MISSING)
        except BotoCoreError:
            return True
        return True

    def _etag_now(self, bucket: str, key: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return str(self._client().head_object(Bucket=bucket, Key=key)["ETag"].strip('"'))
        except (BotoCoreError, ClientError):
            return "another"


def _new_client() -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    settings = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "max_attempts": 3})
    try:
        return boto3.session.Session().client("s3", config=settings)
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise WorldError(f"the AWS configuration cannot be used: {error}", retryable=False) from error


def _copy(body: IO[bytes], out: Destination) -> str:
    """Stream *body* to *out*; returns its MD5, which says nothing about trust, only about transport."""
    from botocore.exceptions import HTTPClientError

    md5 = hashlib.md5(usedforsecurity=False)
    while True:
        try:
            chunk = body.read(_CHUNK)
        except OSError as error:  # of the socket: the disk is only touched below
            raise HTTPClientError(error=error) from error
        if not chunk:
            return md5.hexdigest()
        md5.update(chunk)
        out.write(chunk)


def _is_md5(revision: S3Revision, answer: Any) -> bool:
    """Whether the ETag is the MD5 of the content. Not when uploaded in parts, encrypted by KMS or a customer's key, or
    kept in a directory bucket. Source: S3 API reference, "Object", ETag."""
    plain = re.fullmatch(r"[0-9a-f]{32}", revision.etag or "")
    encrypted = answer.get("ServerSideEncryption", "AES256") != "AES256" or answer.get("SSECustomerAlgorithm")
    return bool(plain) and not encrypted and not revision.bucket.endswith("--x-s3")


def _changed(url: str, expected: str, found: str) -> InvalidRevision:
    return InvalidRevision(f"{url} changed: expected ETag {expected}, found {found}")


def _trouble(error: Exception, url: str) -> WorldError:
    from botocore.exceptions import (
        ConnectionError as Unconnected,
    )
    from botocore.exceptions import (
        FlexibleChecksumError,
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
        NoRegionError,
        ParamValidationError,
        PartialCredentialsError,
    )

    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return WorldError(f"there are no AWS credentials for {url}; set AWS_ACCESS_KEY_ID and its secret, or a profile")
    if isinstance(error, NoRegionError):
        return WorldError(f"no AWS region is set for {url}; set AWS_DEFAULT_REGION", retryable=False)
    if isinstance(error, ParamValidationError):
        return WorldError(f"{url} is no address in S3: {error}", retryable=False)
    if isinstance(error, FlexibleChecksumError | IncompleteReadError):
        return WorldError(f"{url} arrived damaged: {error}")
    if isinstance(error, Unconnected | HTTPClientError):
        return WorldError(f"S3 cannot be reached for {url}: {error}")
    return WorldError(f"S3 did not give {url}: {error}")
