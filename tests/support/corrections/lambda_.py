"""Lambda: revisions as preconditions, aliases that are checked, versions that are never numbered twice, updates that
take a moment, code from a pinned version of an S3 object.

Facts: Lambda's API reference, UpdateAlias, PublishVersion, UpdateFunctionCode; developer guide, "Lambda function
states" and "Configure function aliases".
"""

import base64
import copy
import io
import json
import time
import zipfile
from typing import Any
from urllib.parse import unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    LambdaClientError,
    PreconditionFailedException,
    ValidationException,
)
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import MissingBucket, MissingKey
from moto.s3.models import s3_backends

_UPDATE_TAKES = 0.2  # seconds, unless a test says otherwise
_takes = {"update": _UPDATE_TAKES}
_STALE = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)
_VOLATILE = ("Version", "FunctionArn", "LastModified", "RevisionId", "Description")


def apply() -> None:
    _correct_functions()
    _correct_versions()
    _correct_aliases()


def reset() -> None:
    _takes["update"] = _UPDATE_TAKES


def update_takes(seconds: float) -> None:
    """How long an update of a function's code, or a new version, is under way before it is there."""
    _takes["update"] = seconds


DOOR = {"lambda_update_takes": update_takes}


class ResourceConflict(LambdaClientError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


# functions


def _correct_functions() -> None:
    plain_init, plain_configuration = models.LambdaFunction.__init__, models.LambdaFunction.get_configuration

    def init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        code = _code(spec["Code"], account_id, region)
        plain_init(self, account_id, {**spec, "Code": code}, region, version)
        self.revision_id, self.updating_until, self.pending_until = _new_revision(), 0.0, 0.0

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        found = {**plain_configuration(self, on_create), "RevisionId": self.revision_id}
        if self.pending_until > time.monotonic():
            found |= {
                "State": "Pending",
                "StateReason": "The function is being created.",
                "StateReasonCode": "Creating",
            }
        if self.updating_until > time.monotonic() and not on_create:
            found |= {"LastUpdateStatus": "InProgress", "LastUpdateStatusReason": "The function is being updated."}
        return found

    models.LambdaFunction.__init__ = init
    models.LambdaFunction.get_configuration = get_configuration
    models.LambdaBackend.update_function_code = _update_function_code
    models.LambdaBackend.update_function_configuration = _update_function_configuration


def _update_function_code(self: Any, function_name: str, qualifier: str | None, body: dict[str, Any]) -> dict[str, Any]:
    function = _changeable(self, function_name, body)
    if body.get("DryRun"):
        return dict(function.get_configuration())
    function._set_function_code(_code(body, self.account_id, self.region_name))
    _updated(function)
    changed = self._lambdas.publish_version(function_name) if body.get("Publish") else function
    return dict(changed.get_configuration())


def _update_function_configuration(
    self: Any, function_name: str, qualifier: str | None, body: dict[str, Any]
) -> dict[str, Any]:
    function = _changeable(self, function_name, body)
    function.update_configuration({name: value for name, value in body.items() if name != "RevisionId"})
    _updated(function)
    return dict(function.get_configuration())


def _changeable(backend: Any, name: str, body: dict[str, Any]) -> Any:
    """The function `$LATEST`, if it is still as the caller saw it and nothing is under way."""
    function = backend._lambdas.get_function_by_name_or_arn_forbid_qualifier(name)
    if body.get("RevisionId") not in (None, function.revision_id):
        raise PreconditionFailedException(_STALE)
    if function.updating_until > time.monotonic():
        raise ResourceConflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {function.function_arn}"
        )
    return function


def _updated(function: Any) -> None:
    function.revision_id, function.updating_until = _new_revision(), time.monotonic() + _takes["update"]


def _code(given: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """With the object in S3, of the version that was asked for, in place of its address; and it must be a zip."""
    if "S3Bucket" in given and "S3Key" in given:
        content = _object(account, given["S3Bucket"], given["S3Key"], given.get("S3ObjectVersion"))
        given = {**given, "ZipFile": base64.b64encode(content).decode()}
    if "ZipFile" in given and not zipfile.is_zipfile(io.BytesIO(base64.b64decode(given["ZipFile"]))):
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )
    return given


def _object(account: str, bucket: str, key: str, version: str | None) -> bytes:
    said = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}"
    try:
        found = s3_backends[account]["aws"].get_object(bucket, key, version_id=version)
    except MissingBucket:
        raise InvalidParameterValueException(
            said.format("NoSuchBucket", "The specified bucket does not exist")
        ) from None
    except MissingKey:
        found = None
    if found is None:
        code = "NoSuchVersion" if version else "NoSuchKey"
        raise InvalidParameterValueException(said.format(code, "The specified key does not exist."))
    return bytes(found.value)


# versions


def _correct_versions() -> None:
    def publish_version(self: Any) -> tuple[int, dict[str, Any], str]:
        name, body = unquote(self.path.split("/")[-2]), json.loads(self.body or "{}")
        function = _changeable(self.backend, name, body)
        if body.get("CodeSha256") not in (None, "", function.code_sha_256):
            raise InvalidParameterValueException(
                f"CodeSHA256 ({body['CodeSha256']}) is different from current CodeSHA256 in $LATEST "
                f"({function.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )
        made = self.backend._lambdas.publish_version(name, body.get("Description", ""))
        return 201, {"status": 201}, json.dumps(made.get_configuration())

    responses.LambdaResponse.publish_version = publish_version
    models.LambdaStorage.publish_version = _publish


def _publish(self: Any, name_or_arn: str, description: str = "") -> Any:
    """A new version of `$LATEST`, or the last one where nothing differs from it."""
    function = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    group = self._functions[function.function_name]
    if group["versions"] and _content(group["versions"][-1]) == _content(function):
        return group["versions"][-1]
    group["published"] = group.get("published", 0) + 1  # a number is not given twice, also when a version is deleted
    made = copy.copy(function)
    made.code = dict(function.code)
    made.set_version(group["published"])
    made.description = description or function.description
    made.revision_id, made.updating_until = _new_revision(), 0.0
    made.pending_until = time.monotonic() + _takes["update"] if group["published"] > 1 else 0.0
    group["versions"].append(made)
    self._arns[made.function_arn] = made
    return made


def _content(function: Any) -> dict[str, Any]:
    """What makes a version differ from another."""
    found = function.get_configuration(on_create=True)
    return {name: value for name, value in found.items() if name not in _VOLATILE and not name.startswith("State")}


# aliases


def _correct_aliases() -> None:
    plain_get, plain_create = responses.LambdaResponse.get_alias, responses.LambdaResponse.create_alias

    def get_alias(self: Any) -> tuple[int, dict[str, Any], str]:
        return 200, {"status": 200}, plain_get(self)[2]

    def create_alias(self: Any) -> Any:
        body = json.loads(self.body)
        _check_weights(self.backend, unquote(self.path.rsplit("/", 2)[-2]), body.get("FunctionVersion"), _weights(body))
        return plain_create(self)

    responses.LambdaResponse.get_alias = get_alias
    responses.LambdaResponse.create_alias = create_alias
    responses.LambdaResponse.update_alias = _update_alias


def _update_alias(self: Any) -> tuple[int, dict[str, Any], str]:
    function, name, body = (
        unquote(self.path.rsplit("/")[-3]),
        unquote(self.path.rsplit("/", 2)[-1]),
        json.loads(self.body),
    )
    alias = self.backend.get_alias(name=name, function_name=function)
    if body.get("RevisionId") not in (None, alias.revision_id):
        raise PreconditionFailedException(_STALE)
    version = body.get("FunctionVersion") or alias.function_version
    weights = _weights(body) if "RoutingConfig" in body else _weights({"RoutingConfig": alias.routing_config})
    self.backend.get_function(function, version)  # it must be there
    _check_weights(self.backend, function, version, weights)
    alias.function_version = version
    alias.routing_config = {"AdditionalVersionWeights": weights} if weights else None
    alias.description = body.get("Description", alias.description)
    alias.revision_id = _new_revision()
    return 200, {"status": 200}, json.dumps(alias.to_json())


def _weights(body: dict[str, Any]) -> dict[str, float]:
    return dict((body.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _check_weights(backend: Any, function: str, version: str, weights: dict[str, float]) -> None:
    """One further version, published, other than the alias' own, with a weight from 0 to 1."""
    for weight in weights.values():
        if not 0.0 <= weight <= 1.0:
            raise ValidationException(
                str(weights), "routingConfig.additionalVersionWeights", "Map value must be between 0.0 and 1.0"
            )
    if len(weights) > 1:
        raise InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other in weights:
        if "$LATEST" in (version, other):
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if other == version:
            raise InvalidParameterValueException(
                f"Invalid function version {other}. Function version {other} is already included in routing configuration."
            )
        backend.get_function(function, other)


def _new_revision() -> str:
    return str(mock_random.uuid4())
