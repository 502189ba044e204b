"""botocore's errors as ours: what happened, who can mend it, and whether asking again helps."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from runner.aws.errors import AwsError
from runner.aws.operations import api_name, iam_action, is_repeatable
from runner.aws.permissions import denial, trust
from runner.model.aws import AwsPlace

Remedy: TypeAlias = Literal["none", "again", "slower", "new credentials"]

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Unauthorized", "AuthorizationError"}
)
_REFUSED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_NO_LONGER = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_LIMITS = frozenset({"LimitExceededException", "CodeStorageExceededException", "ResourceLimitExceeded"})

_NO_REGION = (
    "no AWS region is set. A manifest says it as `aws: {region: eu-west-1}`, for all or for one deployment group; groups of "
    "the API have the `region` of [api] in penstock.toml. Or set AWS_DEFAULT_REGION"
)


class Call(NamedTuple):
    place: AwsPlace
    service: str
    operation: str
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        return api_name(self.service, self.operation)

    @property
    def is_repeatable(self) -> bool:
        return is_repeatable(self.operation, self.params)

    def __str__(self) -> str:
        return f"{self.name} in {self.place}"


class Trouble(NamedTuple):
    """*error*: what to raise when *remedy* is none, or is used up."""

    error: AwsError
    remedy: Remedy

    def because(self, cause: Exception) -> "Trouble":
        self.error.__cause__ = cause
        return self


def of_response(call: Call, error: Any) -> Trouble:
    """AWS (or what stands where it should be) has answered with an error. *error*: botocore's ClientError."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", "") or "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    assuming = error.operation_name == "AssumeRole" and call.operation != "assume_role"
    told = f"{code}: {message}" if message else code
    if code in throttling_codes() or (status == 429 and code not in _LIMITS):
        return _throttled(call, code, told)
    if code in _REFUSED_CREDENTIALS:
        return _refused_credentials(call, code, told)
    if assuming and status < 500:
        return _no_role(call, code, message)
    if code in _DENIED or status in (401, 403):
        return _denied(call, code, message)
    if status >= 500 and status != 501:
        return _broken(call, code, told, again=assuming or call.is_repeatable)
    return Trouble(_error(call, f"{call}: {told}", _code_of(code), aws_code=code), "none")


def of_silence(call: Call, error: Exception) -> Trouble:
    """Nobody has answered, or nobody was asked. *error*: any other error of botocore."""
    from botocore import exceptions as raised

    if isinstance(error, raised.NoRegionError):
        return _wrong(call, _NO_REGION)
    if isinstance(error, raised.ProfileNotFound | raised.ConfigParseError | raised.InvalidConfigError):
        return _wrong(call, f"the AWS configuration cannot be used: {error}")
    if isinstance(error, raised.ParamValidationError):
        return _wrong(call, str(error))
    if isinstance(error, raised.NoCredentialsError | raised.PartialCredentialsError):
        return _no_credentials(
            call, "there are none: set AWS_ACCESS_KEY_ID and its secret, a profile, or a role of the machine"
        )
    if isinstance(error, _credential_errors()):
        return _no_credentials(call, str(error))
    if isinstance(error, raised.ConnectionError | raised.HTTPClientError):
        return _unanswered(call, error)
    if isinstance(error, raised.BotoCoreError | ValueError):  # ValueError: an endpoint that is no URL
        return _wrong(call, str(error))
    return _broken(call, "", f"what answered does not speak as AWS does: {error}", again=call.is_repeatable)


def throttling_codes() -> frozenset[str]:
    """As botocore knows them, without those by which ECS and others mean a quota of things."""
    from botocore.retries.standard import ThrottledRetryableChecker

    return frozenset(vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]) - _LIMITS


def _throttled(call: Call, code: str, told: str) -> Trouble:
    message = (
        f"{call} is throttled ({told}): the account makes more requests than its quota. Lower requests_per_second for "
        f"{call.service} under [aws] of the configuration, or ask AWS for more"
    )
    return Trouble(_error(call, message, "THROTTLED", aws_code=code, retryable=True), "slower")


def _refused_credentials(call: Call, code: str, told: str) -> Trouble:
    what = "have expired" if code in _NO_LONGER else "were refused"
    message = f"{call}: the AWS credentials {what} ({told}). Give the runner new ones; is this machine's clock right?"
    return Trouble(_error(call, message, "IAM_ROLE_PERMISSIONS", aws_code=code, retryable=True), "new credentials")


def _no_role(call: Call, code: str, message: str) -> Trouble:
    role = call.place.role or "a role of the AWS configuration"
    text = f"{call}: the role {role} cannot be assumed ({code}: {message}). {trust(message, role)}"
    return Trouble(_error(call, text, "IAM_ROLE_MISSING", aws_code=code), "none")


def _denied(call: Call, code: str, message: str) -> Trouble:
    found = denial(message, iam_action(call.service, call.operation), call.params)
    error = AwsError(
        f"{call}: {found}",
        code="IAM_ROLE_PERMISSIONS",
        operation=call.name,
        aws_code=code,
        statement=found.statement,
        denied_by=found.by,
    )
    return Trouble(error, "none")


def _no_credentials(call: Call, why: str) -> Trouble:
    message = f"{call}: no AWS credentials: {why}"
    return Trouble(_error(call, message, "IAM_ROLE_MISSING", retryable=True), "new credentials")


def _unanswered(call: Call, error: Exception) -> Trouble:
    from botocore import exceptions as raised

    unsent = isinstance(
        error, raised.EndpointConnectionError | raised.ConnectTimeoutError | raised.ProxyConnectionError
    )
    message = f"{call} was not answered: {error}. Can this machine reach AWS, and is the region well?"
    again: Remedy = "again" if unsent or call.is_repeatable else "none"
    return Trouble(_error(call, message, "TIMEOUT", retryable=True), again)


def _broken(call: Call, code: str, told: str, *, again: bool) -> Trouble:
    error = _error(call, f"{call} failed on AWS's side: {told}", "INTERNAL_ERROR", aws_code=code, retryable=True)
    return Trouble(error, "again" if again else "none")


def _wrong(call: Call, why: str) -> Trouble:
    return Trouble(_error(call, f"{call}: {why}", "INTERNAL_ERROR"), "none")


def _error(call: Call, message: str, code: str, *, aws_code: str = "", retryable: bool = False) -> AwsError:
    return AwsError(message, code=code, operation=call.name, aws_code=aws_code, retryable=retryable)


def _code_of(aws_code: str) -> str:
    if "NotFound" in aws_code:
        return "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    return "RESOURCE_LIMIT_EXCEEDED" if aws_code in _LIMITS else "INTERNAL_ERROR"


def _credential_errors() -> tuple[type[Exception], ...]:
    from botocore import exceptions as raised

    return (
        raised.CredentialRetrievalError,
        raised.LoginError,
        raised.MetadataRetrievalError,
        raised.NoAuthTokenError,
        raised.SSOError,
        raised.TokenRetrievalError,
    )
