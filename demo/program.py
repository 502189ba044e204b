"""The real program as the demo uses it: `penstock serve` in the background, its other verbs as people type them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from place import Place

PATIENCE = 60  # seconds for anything at all


class DemoFailed(Exception):
    """Something that the demo is there to show was not so."""


class Program:
    """One `penstock serve` on the state folder of *place*, from `with` to its end."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._log = place.folder / "serve.log"
        self._command = [*_penstock(), "--config", str(place.config), "--state", str(place.state)]
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}

    def __enter__(self) -> "Program":
        with self._log.open("w") as log:
            self._serve = subprocess.Popen(
                [*self._command, "serve"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._serve.send_signal(signal.SIGTERM)  # it lets the lifecycle events in flight end
        try:
            self._serve.wait(30)
        except subprocess.TimeoutExpired:
            self._serve.kill()
            self._serve.wait()

    def is_running(self) -> bool:
        return self._serve.poll() is None

    def ask(self, *arguments: str) -> Any:
        """What a verb answers with `--output json`."""
        command = [*self._command, "--output", "json", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            said = done.stderr.strip()
            raise DemoFailed(f"penstock {' '.join(arguments)} ended with status {done.returncode}: {said}")
        return json.loads(done.stdout)

    def show(self, *arguments: str) -> int:
        """Run a verb in front of everybody. Returns its exit status."""
        sys.stdout.flush()
        try:
            return subprocess.run([*self._command, *arguments], env=self._environment, timeout=PATIENCE).returncode
        except subprocess.TimeoutExpired:
            raise DemoFailed(f"penstock {' '.join(arguments)} took over {PATIENCE} s{self.last_words()}") from None

    def last_words(self) -> str:
        """The end of what `serve` has logged, for when something went wrong."""
        return "; its last words:\n" + "\n".join(self._log.read_text().splitlines()[-15:])


def _penstock() -> list[str]:
    """The command of the environment that runs the demo."""
    beside = Path(sys.executable).with_name("penstock")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "runner"]
