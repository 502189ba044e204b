"""The process of `support.cloud`: moto with our corrections behind `support.front`, and a door for the tests.

    python -m support.cloud_server FOLDER       says {"port": 43211} on standard output once it listens

It ends when its standard input does, so it never outlives the test that started it.
"""

import importlib
import json
import logging
import os
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import moto.iam.models
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

import support.corrections
from support.faults import Fault, Faults
from support.front import Front
from support.keys import ACCOUNT
from support.lag import Lag
from support.record import Record
from support.serial import LOCK


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _belong_to(ACCOUNT)
    corrections = _corrected()
    server = make_server("127.0.0.1", 0, Door(Path(sys.argv[1]), corrections), True, request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.port)  # where functions that run in the cloud find it
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.port}), flush=True)
    sys.stdin.read()
    for each in corrections:
        _reset(each)
    os._exit(0)  # threads that hold a call would keep it


class Door:
    """A WSGI application: `/_cloud/NAME` for the tests, with keyword arguments as JSON, and AWS for everything else."""

    def __init__(self, folder: Path, corrections: list[ModuleType]) -> None:
        self._record, self._faults, self._lag = Record(folder / "calls.jsonl"), Faults(), Lag()
        self._front, self._corrections = Front(self._record, self._faults, self._lag), corrections
        self._names: dict[str, Callable[..., Any]] = {
            "reset": self.reset,
            "mend": self.mend,
            "calls": self._record.calls,
            "forget": self._record.forget,
            "fail": lambda **fault: self._faults.add(Fault(**fault)),
            "hold": self._faults.hold,
            "waiting": self._faults.waiting,
            "release": self._faults.release,
            "kill_after": self._faults.kill_after,
            "killed": lambda: self._faults.killed,
            "lag": self._lag.set,
            "expire_credentials": self._front.expire_credentials,
        }
        for each in corrections:
            self._names.update(getattr(each, "DOOR", {}))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/_cloud/"):
            return self._front(environ, start_response)
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        try:
            status, answer = "200 OK", self._names[path.removeprefix("/_cloud/")](**asked)
        except Exception as error:  # noqa: BLE001 - told to the test
            status, answer = "400 Bad Request", f"{type(error).__name__}: {error}"
        start_response(status, [("content-type", "application/json")])
        return [json.dumps(answer).encode()]

    def reset(self) -> None:
        """Nothing is there any more, nothing was called, and nothing goes wrong."""
        self.mend()
        with LOCK:
            BackendDict.reset()
            reset_model_data()
            for each in self._corrections:
                _reset(each)
            self._record.forget()

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.forget()
        self._lag.set(0)
        self._front.forget()


def _corrected() -> list[ModuleType]:
    names = sorted(each.name for each in pkgutil.iter_modules(support.corrections.__path__))
    found = [importlib.import_module(f"support.corrections.{name}") for name in names]
    corrections = [each for each in found if hasattr(each, "apply")]  # the others are what these are made of
    for each in corrections:
        each.apply()
    return corrections


def _reset(correction: ModuleType) -> None:
    if reset := getattr(correction, "reset", None):
        reset()


def _belong_to(account: str) -> None:
    """Keys that no role was assumed for belong to *account*, not to moto's own; roles' keep theirs."""
    for owner in moto.iam.models, moto.core.models, moto.core:
        owner.DEFAULT_ACCOUNT_ID = account  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
