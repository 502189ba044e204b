"""One invocation of a hook function. What it returns means nothing; what it logs is kept.

Source: CodeDeploy user guide, "AppSpec 'hooks' section for an AWS Lambda deployment"; Lambda API reference, "Invoke".
"""

import asyncio
import base64
import json
from functools import partial
from typing import Any, Protocol

from runner.aws import AwsError
from runner.model.aws import AwsPlace
from runner.ports import Report
from runner.threads import in_thread

_LONGEST = 910.0  # seconds; a function runs for 15 minutes at most
_PATIENCE = 5.0  # seconds; a call that waits in its thread would invoke the function also after a stop
_PAUSE = 10.0  # seconds, then once more
_NOT_RUN = ("THROTTLED", "IAM_ROLE_PERMISSIONS", "IAM_ROLE_MISSING")


class Caller(Protocol):
    """What is needed of `runner.aws.Aws`."""

    def call(
        self,
        place: AwsPlace,
        service: str,
        operation: str,
        params: dict[str, Any],
        *,
        patience: float = 60.0,
        timeout: float = 30.0,
    ) -> dict[str, Any]: ...


async def invoke(
    aws: Caller, place: AwsPlace, function: str, deployment_id: str, execution_id: str, report: Report
) -> AwsError | None:
    """Invoke *function*, once, and wait until it returns. Returns why AWS would not run it, None when it ran or may have.

    An invocation without an answer is not repeated: it may have been carried out.
    """
    payload = {"DeploymentId": deployment_id, "LifecycleEventHookExecutionId": execution_id}
    params = {
        "FunctionName": function,
        "InvocationType": "RequestResponse",
        "LogType": "Tail",
        "Payload": json.dumps(payload).encode(),
    }
    ask = partial(aws.call, place, "lambda", "invoke", params, patience=_PATIENCE, timeout=_LONGEST)
    while True:
        try:
            _tell(await in_thread(ask), report)
            return None
        except AwsError as error:
            if not error.retryable:
                return error
            if error.code not in _NOT_RUN:
                report(
                    f"{error.message}. It may run all the same, so it is not invoked again; its answer is waited for.\n"
                )
                return None
            report(f"{error.message}. Trying again in {_PAUSE:g} s.\n")
        await asyncio.sleep(_PAUSE)


def _tell(answer: dict[str, Any], report: Report) -> None:
    log = base64.b64decode(answer.get("LogResult") or "").decode(errors="replace")
    if log:
        report("".join(f"[stdout]{line}\n" for line in log.splitlines()))
    if answer.get("FunctionError"):
        raised = bytes(answer.get("Payload") or b"").decode(errors="replace")
        report(f"The function ended with an error ({answer['FunctionError']}): {' '.join(raised.split())[:1000]}\n")
