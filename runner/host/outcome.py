"""How a lifecycle event ended, in the control side's own JSON shape; and the one exception that ends it early."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUCCESS = "Success"
SCRIPT_MISSING = "ScriptMissing"
SCRIPT_NOT_EXECUTABLE = "ScriptNotExecutable"
SCRIPT_TIMED_OUT = "ScriptTimedOut"
SCRIPT_FAILED = "ScriptFailed"
UNKNOWN_ERROR = "UnknownError"


class Failure(Exception):
    """The lifecycle event fails; this is no fault of ours. *script*: location of the script that failed, if one did."""

    def __init__(self, message: str, code: str = UNKNOWN_ERROR, script: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.script = script


def succeeded(message: str, started_at: str) -> dict[str, Any]:
    return _outcome(True, SUCCESS, "", message, "", started_at)


def failed(failure: Failure, log_tail: str, started_at: str) -> dict[str, Any]:
    return _outcome(False, failure.code, failure.script, failure.message, log_tail, started_at)


def now() -> str:
    """This host's time, UTC, ISO 8601 with microseconds."""
    seconds, microseconds = divmod(int(time.time() * 1e6), 1000000)
    return "{}.{:06d}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)), microseconds)


def printable(text: str) -> str:
    """*text* with the bytes of file names that are not UTF-8 shown as `\\xe9`: others refuse them, even as JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _outcome(ok: bool, code: str, script: str, message: str, log_tail: str, started_at: str) -> dict[str, Any]:
    message = printable(message)
    diagnostics = {"error_code": code, "script_name": script, "message": message, "log_tail": log_tail}
    return {"succeeded": ok, "diagnostics": diagnostics, "started_at": started_at, "ended_at": now()}
