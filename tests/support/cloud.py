"""AWS on loopback: moto with our corrections, in a process of its own, that records every call and fails on demand.

    with cloud(tmp_path) as aws:
        boto = aws.client("lambda")             # the tests' own hands: recorded apart, and nothing fails for them
        subprocess.run(..., env={**os.environ, **aws.environ})      # the client under test
        aws.kill_after(process.pid, 3)
        aws.calls(mutating=True)                # [Call(service="lambda", operation="UpdateAlias", ...), ...]

Starting takes a second or two: share one (`support.fixtures`) and `reset` it. What it corrects and what it cannot
prove: docs/aws-testing.md.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from support.keys import CLIENTS_KEY, REGION, SECRET, TESTS_KEY

_START_WITHIN = 60.0  # seconds; two on a quiet machine
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as it took effect. *status*, *code*: of the answer; 0 where the connection broke instead.

    *at*: seconds since 1970. *carried_out* False: refused before anything happened. *who*: "client", "test", "function".
    """

    number: int
    at: float
    who: str
    service: str
    operation: str
    region: str
    access_key: str
    mutating: bool
    status: int
    code: str
    carried_out: bool
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in `lambda:UpdateAlias`."""
        return f"{self.service}:{self.operation}"


class Cloud:
    """See above. Services and operations are named as boto3's clients and AWS' APIs do: "elbv2", "ModifyListener"."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def environ(self) -> dict[str, str]:
        """What the environment of the client under test must hold."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": CLIENTS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """boto3's client of the tests themselves, which tries once."""
        if (service, region) not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=50)
            session = boto3.session.Session(TESTS_KEY, SECRET, region_name=region)
            self._clients[service, region] = session.client(service, endpoint_url=self.url, config=config)
        return self._clients[service, region]

    # what was called

    def calls(
        self, mutating: bool | None = None, service: str = "*", operation: str = "*", who: str = "client"
    ) -> list[Call]:
        """In the order in which they took effect. *who* "*": also the tests' own and those of functions."""
        return [
            call
            for call in (Call(**each) for each in self.ask("calls", who=who))
            if mutating in (None, call.mutating)
            and service in ("*", call.service)
            and operation in ("*", call.operation)
        ]

    def forget(self) -> None:
        """No call was made so far; `folder / "calls.jsonl"` still has them."""
        self.ask("forget")

    def reset(self) -> None:
        """An empty cloud in which nothing goes wrong."""
        self.ask("reset")

    # what goes wrong

    def fail(
        self,
        service: str,
        operation: str,
        *,
        times: int | None = 1,
        code: str = "InternalFailure",
        status: int = 500,
        message: str = "",
        carried_out: bool = False,
    ) -> None:
        """The next so many calls are answered with an error; None: all. *carried_out*: they take effect all the same."""
        wanted = {"service": service, "operation": operation, "times": times, "carried_out": carried_out}
        self.ask("fail", **wanted, code=code, status=status, message=message)

    def cut(self, service: str, operation: str, *, times: int | None = 1, carried_out: bool = False) -> None:
        """The connection breaks before an answer comes."""
        self.ask("fail", service=service, operation=operation, times=times, carried_out=carried_out)

    def throttle(self, service: str, operation: str = "*", *, times: int | None = 1) -> None:
        self.ask("fail", service=service, operation=operation, times=times, **_throttled(service))

    def limit(self, service: str, per_second: float, operation: str = "*") -> None:
        """Calls beyond so many a second are throttled, as AWS does; a burst of one second's calls is let through."""
        self.ask("fail", service=service, operation=operation, times=None, per_second=per_second, **_throttled(service))

    def deny(self, service: str, operation: str, *, resource: str = "*", times: int | None = None) -> None:
        """The client has no permission for it."""
        action = _IAM_ACTIONS.get((service, operation), f"{_IAM_PREFIXES.get(service, service)}:{operation}")
        code, status = _DENIED.get(service, ("AccessDenied" if service in _XML else "AccessDeniedException", 403))
        message = f"User: arn:aws:iam::111122223333:user/runner is not authorized to perform: {action} on resource: "
        message += f"{resource} because no identity-based policy allows the {action} action"
        self.ask("fail", service=service, operation=operation, times=times, code=code, status=status, message=message)

    def lag(self, seconds: float) -> None:
        """Reads of the client show a state that is that old; 0 ends it."""
        self.ask("lag", seconds=seconds)

    def expire_credentials(self) -> None:
        """What AssumeRole handed out and was used so far is refused from now on."""
        self.ask("expire_credentials")

    def kill_after(self, pid: int, calls: int, *, before: bool = False) -> None:
        """SIGKILL to *pid* right after its so-manieth mutating call from now took effect, before the answer.

        *before*: right before that call takes effect, which it then never does.
        """
        self.ask("kill_after", pid=pid, calls=calls, before=before)

    def killed(self) -> list[int]:
        """The processes that `kill_after` has killed."""
        return [int(each) for each in self.ask("killed")]

    @contextlib.contextmanager
    def hold(self, service: str, operation: str, *, carried_out: bool = False) -> "Iterator[Held]":
        """Within it, calls wait and are not answered. *carried_out*: they have taken effect meanwhile."""
        number = self.ask("hold", service=service, operation=operation, carried_out=carried_out)
        try:
            yield Held(self, number)
        finally:
            self.ask("release", number=number)

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.ask("mend")

    def ask(self, name: str, **arguments: Any) -> Any:
        """Through the door of the server: also what a correction has put there in its `DOOR`."""
        request = urllib.request.Request(f"{self.url}/_cloud/{name}", json.dumps(arguments).encode(), method="POST")
        try:
            with _DIRECT.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"the cloud refused {name}: {error.read().decode()}") from None


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_XML = ("elbv2", "elb", "autoscaling", "cloudwatch", "sts", "iam", "sns", "s3")
_IAM_PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}
_IAM_ACTIONS = {  # where IAM names an operation otherwise
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
}
_DENIED = {"ec2": ("UnauthorizedOperation", 403), "ecs": ("AccessDeniedException", 400)}


def _throttled(service: str) -> dict[str, Any]:
    """How the services say it: Lambda with 429, the older ones as Throttling, EC2 in its own words."""
    if service == "lambda":
        return {"code": "TooManyRequestsException", "status": 429, "message": "Rate exceeded"}
    if service == "ec2":
        return {"code": "RequestLimitExceeded", "status": 503, "message": "Request limit exceeded."}
    code = "Throttling" if service in _XML else "ThrottlingException"
    return {"code": code, "status": 400, "message": "Rate exceeded"}


class Held:
    """A hold of `Cloud.hold`."""

    def __init__(self, owner: Cloud, number: int) -> None:
        self._owner, self._number = owner, number

    def waiting(self) -> int:
        """Calls that wait now."""
        return int(self._owner.ask("waiting", number=self._number))

    def wait_for(self, calls: int = 1, within: float = 20.0) -> None:
        """Until so many calls wait."""
        deadline = time.monotonic() + within
        while self.waiting() < calls:
            if time.monotonic() > deadline:
                raise AssertionError(f"fewer than {calls} calls came within {within:g} s")
            time.sleep(0.01)


@contextlib.contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """Start one on a free port of 127.0.0.1; *folder* keeps its log and `calls.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "cloud.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.cloud_server", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            cwd=folder,
        )
    try:
        yield Cloud(f"http://127.0.0.1:{_port(process, folder / 'cloud.log')}", folder)
    finally:
        _end(process)


def _environment() -> dict[str, str]:
    """Nothing of AWS that the tests' own environment may hold."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_", "COV_"))}
    return {
        **kept,
        "PYTHONPATH": str(_TESTS),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # hundreds of images at every reset; any image can be launched
    }


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_WITHIN)
    line = process.stdout.readline() if ready else b""
    if not line:
        _end(process)
        raise RuntimeError(f"the cloud did not start:\n{log.read_text(errors='replace')}")
    return int(json.loads(line)["port"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends when its standard input does."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
