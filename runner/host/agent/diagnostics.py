"""How an event ended, as the command API puts it. Source: agent 1.8, "Complete diagnostics"; the two times are ours."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CODES = {
    "Success": 0,
    "ScriptMissing": 1,
    "ScriptNotExecutable": 2,
    "ScriptTimedOut": 3,
    "ScriptFailed": 4,
    "UnknownError": 5,
}
_MOST = 60000  # characters; the server takes 65536


def diagnostics_of(outcome: dict[str, Any]) -> dict[str, Any]:
    """*outcome*: the executor's. A message that is too long loses its end."""
    said = outcome["diagnostics"]
    made = {
        "error_code": _CODES.get(said["error_code"], _CODES["UnknownError"]),
        "script_name": said["script_name"],
        "message": said["message"],
        "log": said["log_tail"],
        "started_at": outcome["started_at"],
        "ended_at": outcome["ended_at"],
    }
    while len(json.dumps(made, ensure_ascii=False)) > _MOST and made["message"]:
        made["message"] = made["message"][: len(made["message"]) * 3 // 4]
    return made
