"""What a step leaves for the workflow: outputs (GITHUB_OUTPUT) and its summary (GITHUB_STEP_SUMMARY).

Both are written again whenever there is more to tell, so that they are true if the runner kills the step at any moment.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

LONGEST_SUMMARY = 1000 * 1000  # bytes; GitHub drops one above 1 MiB altogether
_CUT = "\n\n*The rest is left out: a summary may have 1 MiB.*\n"


class StepFiles:
    """Outside of a workflow there are no such files, and nothing is written."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._output = _file(environ, "GITHUB_OUTPUT")
        self._summary = _file(environ, "GITHUB_STEP_SUMMARY")
        # what the step wrote before us stays
        self._start = self._summary.stat().st_size if self._summary and self._summary.exists() else 0

    def put(self, outputs: Mapping[str, str]) -> None:
        """Of a name that is written twice, the runner takes the last."""
        if self._output:
            with self._output.open("a", encoding="utf-8") as file:
                file.write("".join(_assignments(outputs)))

    def put_summary(self, text: str) -> None:
        """In place of what was written before."""
        if self._summary:
            raw = text.encode("utf-8", "replace")
            if len(raw) > LONGEST_SUMMARY:
                raw = raw[:LONGEST_SUMMARY].decode("utf-8", "ignore").encode() + _CUT.encode()
            with self._summary.open("ab") as file:
                file.truncate(self._start)
                file.write(raw)


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _assignments(outputs: Mapping[str, str]) -> Iterable[str]:
    """Heredocs, whose end nobody can guess."""
    for name, value in outputs.items():
        end = f"end-{secrets.token_hex(16)}"
        yield f"{name}<<{end}\n{value}\n{end}\n"
