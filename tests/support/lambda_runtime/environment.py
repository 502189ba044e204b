"""One execution environment: a process with one function's code in it, which takes one event at a time."""

import base64
import io
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

from support.lambda_runtime.api import Ended, Event, RuntimeApi

_INIT_WITHIN = 60.0  # seconds until the process must have taken its first event; AWS allows ten
_TAIL = 4096  # bytes of the log that an invocation gives back, as AWS does


@dataclass(frozen=True)
class Function:
    """What runs. *code*: a zip file. *environment*: all variables but those that tell where the Runtime API is."""

    arn: str
    name: str
    version: str
    handler: str
    code: bytes
    timeout: float
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Result:
    """*error*: "Unhandled" when the function failed, as AWS says it; *log*: the end of what it wrote."""

    payload: bytes
    error: str
    log: bytes

    @property
    def encoded_log(self) -> str:
        return base64.b64encode(self.log).decode()


class Environment:
    """The process starts with the first event, and again after it ended."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self._api: RuntimeApi | None = None  # a new one for each process: an old one's requests may still be open
        self._folder = Path(tempfile.mkdtemp(prefix="lambda-", dir=Path.cwd()))
        self._task, self._log = self._folder / "task", self._folder / "log"
        with zipfile.ZipFile(io.BytesIO(function.code)) as archive:
            archive.extractall(self._task)
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed, self._changing = False, threading.Lock()

    def invoke(self, payload: bytes) -> Result:
        request_id, began = str(uuid.uuid4()), time.monotonic()
        seen = self._log.stat().st_size
        process, api = self._running()
        api.taken.clear()
        api.events.put(Event(request_id, payload, self.function.arn, self.function.timeout))
        ended = self._wait(process, api, request_id)
        return Result(ended.payload, "Unhandled" if ended.error else "", self._tail(seen, request_id, began))

    def close(self) -> None:
        """Ends the process, also while it runs the function; none is started any more."""
        with self._changing:
            self._closed = True
            self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _running(self) -> tuple[subprocess.Popen[bytes], RuntimeApi]:
        with self._changing:
            if self._closed:
                raise ProcessLookupError("the cloud was emptied")
            if self._process is None or self._api is None or self._process.poll() is not None:
                self._end()
                self._api = RuntimeApi()
                self._process = self._start(self._api.address)
            return self._process, self._api

    def _start(self, address: str) -> subprocess.Popen[bytes]:
        variables = {
            **dict(self.function.environment),
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_RUNTIME_API": address,
            "LAMBDA_TASK_ROOT": str(self._task),
            "_HANDLER": self.function.handler,
        }
        command = [sys.executable, "-m", "awslambdaric", self.function.handler]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._task, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait(self, process: subprocess.Popen[bytes], api: RuntimeApi, request_id: str) -> Ended:
        """Until the function answers, its process ends, or its time is over."""
        deadline, taken = time.monotonic() + _INIT_WITHIN, False
        while time.monotonic() < deadline:
            if api.taken.is_set() and not taken:
                taken, deadline = True, time.monotonic() + self.function.timeout
            if (ended := _ended(api, 0.02)) is not None:
                return ended
            if process.poll() is not None:
                return _ended(api, 0.0) or _exited(request_id, process.returncode)
        with self._changing:
            self._end()
        return _failure("Sandbox.Timedout", f"{request_id} Task timed out after {self.function.timeout:.2f} seconds")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._api is not None:
            self._api.close()
        self._process = self._api = None

    def _tail(self, seen: int, request_id: str, began: float) -> bytes:
        """With the lines that AWS puts around what the function wrote."""
        with self._log.open("rb") as log:
            log.seek(seen)
            written = log.read()
        lasted = (time.monotonic() - began) * 1000
        start = f"START RequestId: {request_id} Version: {self.function.version}\n".encode()
        end = f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {lasted:.2f} ms\n".encode()
        return (start + written + end)[-_TAIL:]


def _ended(api: RuntimeApi, within: float) -> Ended | None:
    try:
        return api.ended.get(timeout=within) if within else api.ended.get_nowait()
    except queue.Empty:
        return None


def _exited(request_id: str, status: int) -> Ended:
    how = f"signal: {-status}" if status < 0 else f"exit status {status}"
    return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")


def _failure(kind: str, message: str) -> Ended:
    return Ended(json.dumps({"errorType": kind, "errorMessage": message}).encode(), error=True)
