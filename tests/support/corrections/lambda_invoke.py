"""Lambda's Invoke: runs the function's own code, splits an alias' traffic by its weights, and says what it executed.

Python only, packaged as a zip. An Event is run once; AWS would try a failed one twice more.
"""

import contextlib
import json
import os
import random
import sys
import threading
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import LambdaClientError

from support.corrections.lambda_ import ResourceConflict
from support.keys import FUNCTIONS_KEY, SECRET
from support.lambda_runtime.environment import Function
from support.lambda_runtime.pool import Pool
from support.serial import LOCK

_pool = Pool()
_chance = random.Random(0)  # the same sequence in every run


def apply() -> None:
    responses.LambdaResponse.invoke = _invoke


def reset() -> None:
    _pool.close()
    _chance.seed(0)


class InvalidRequestContent(LambdaClientError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestContentException", message)


class Unsupported(LambdaClientError):
    code = 502

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRuntimeException", message)


def _invoke(self: Any) -> tuple[int, dict[str, str], bytes]:
    name = unquote(self.path.rsplit("/", 2)[-2])
    qualifier = parse_qs(self.parsed_url.query).get("Qualifier", [None])[0]
    with LOCK:
        found = _executed(self.backend._lambdas, name, qualifier)
        function = _function(found)
    payload = _payload(self.raw_body)
    kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    headers = {"X-Amz-Executed-Version": str(found.version)}
    if kind == "DryRun":
        return 204, {**headers, "status": "204"}, b""
    if kind == "Event":
        threading.Thread(target=_run_unwatched, args=(function, payload), daemon=True).start()
        return 202, {**headers, "status": "202"}, b""
    result = _pool.invoke(function, payload)
    headers["Content-Type"] = "application/json"
    if result.error:
        headers["X-Amz-Function-Error"] = result.error
    if self.headers.get("X-Amz-Log-Type") == "Tail":
        headers["X-Amz-Log-Result"] = result.encoded_log
    return 200, headers, result.payload


def _executed(storage: models.LambdaStorage, name: str, qualifier: str | None) -> Any:
    """The version that runs: of an alias, by the odds of its weights."""
    if name.startswith("arn:"):
        _, name, in_name = storage.split_function_arn(name)
        qualifier = in_name or qualifier
    elif ":" in name:
        name, qualifier = name.split(":")
    found = storage.get_function_by_name_with_qualifier(name, qualifier)
    alias = storage._get_function_aliases(name).get(qualifier or "")
    if alias is None:
        return found
    lot = _chance.random()
    for version, weight in ((alias.routing_config or {}).get("AdditionalVersionWeights") or {}).items():
        if lot < weight:
            return storage.get_function_by_name_with_qualifier(name, version)
    return found


def _function(found: Any) -> Function:
    configuration = found.get_configuration()
    if configuration["State"] == "Pending":
        raise ResourceConflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    if found.package_type != "Zip" or not str(found.run_time).startswith("python"):
        raise Unsupported(f"this cloud runs Python from zip files, not {found.run_time or found.package_type}")
    return Function(
        arn=found.function_arn,
        name=found.function_name,
        version=str(found.version),
        handler=found.handler,
        code=found.code_bytes,
        timeout=float(found.timeout),
        environment=_environment(found),
    )


def _environment(found: Any) -> tuple[tuple[str, str], ...]:
    """What AWS sets, and the function's own variables, which win where AWS lets them."""
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['MOTO_PORT']}",
        "AWS_EC2_METADATA_DISABLED": "true",
        **{str(name): str(value) for name, value in found.environment_vars.items()},
        "AWS_ACCESS_KEY_ID": FUNCTIONS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": found.region,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{found.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": found.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(found.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(found.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": found.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[{found.version}]",
    }
    return tuple(sorted(variables.items()))


def _payload(body: bytes) -> bytes:
    payload = body or b"{}"
    try:
        json.loads(payload)
    except ValueError as error:
        raise InvalidRequestContent(f"Could not parse request body into json: {error}") from None
    return payload


def _run_unwatched(function: Function, payload: bytes) -> None:
    """Nobody waits for an Event; the cloud may be emptied while it runs."""
    with contextlib.suppress(OSError):
        result = _pool.invoke(function, payload)
        if result.error:
            print(f"{function.arn} failed: {result.payload.decode(errors='replace')}", file=sys.stderr)
