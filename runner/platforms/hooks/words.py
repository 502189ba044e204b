"""What is said of hooks, and how a hook that did not succeed ends its event."""

import datetime as dt

from runner.aws import AwsError
from runner.model.command import Outcome
from runner.model.program import Task
from runner.model.target import Diagnostics

FAILED = "HOOK_EXECUTION_FAILURE"
_PERMISSIONS = ("IAM_ROLE_PERMISSIONS", "IAM_ROLE_MISSING", "THROTTLED")


def invoked(function: str, until: dt.datetime) -> str:
    return f"Invoking {function}; its status (PutLifecycleEventHookExecutionStatus) is awaited until {_time(until)}.\n"


def invoked_before(function: str, until: dt.datetime) -> str:
    return (
        f"{function} has been invoked already, and is not invoked twice; its status is awaited until {_time(until)}.\n"
    )


def said_failed(task: Task, function: str, log: str) -> Outcome:
    message = (
        f"a lifecycle event validation function failed: {function} has reported Failed for {task.act.event}. Its log says "
        f"why ({_log(function)})"
    )
    return _failed(FAILED, "ScriptFailed", function, message, log)


def silent(task: Task, function: str, log: str) -> Outcome:
    message = (
        f"{function} did not end {task.act.event} within an hour: no status callback came. What a function returns is no "
        f"answer; it must call PutLifecycleEventHookExecutionStatus, here, with deploymentId {task.job.deployment_id} and "
        f"the execution ID that it was given. Does it know this server's address, and has it a key? ({_log(function)})"
    )
    return _failed(FAILED, "ScriptTimedOut", function, message, log)


def refused(function: str, error: AwsError) -> Outcome:
    return _failed(code_of(error), "ScriptMissing", function, f"the hook {function} was not run: {error.message}", "")


def not_served(task: Task, function: str) -> Outcome:
    return _failed(FAILED, "ScriptNotExecutable", function, unheard(task.act.event, function), "")


def unheard(event: str, function: str) -> str:
    return (
        f"{event} has the hook {function}, which answers over the wire API, and this process does not listen. Deployments "
        "with hooks need `penstock serve` with an address that the function can reach"
    )


def unable(event: str, function: str, error: AwsError) -> str:
    return f"{event} has the hook {function}, which could not be invoked: {error.message}"


def code_of(error: AwsError) -> str:
    return error.code if error.code in _PERMISSIONS else FAILED


def _failed(code: str, error_code: str, function: str, message: str, log: str) -> Outcome:
    diagnostics = Diagnostics(error_code=error_code, script_name=function, message=message, log_tail=log)  # type: ignore[arg-type]
    return Outcome(succeeded=False, diagnostics=diagnostics, code=code)


def _log(function: str) -> str:
    name = function.rsplit(":function:", 1)[-1].partition(":")[0]
    return f"CloudWatch, log group /aws/lambda/{name}"


def _time(at: dt.datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
