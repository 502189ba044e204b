"""Replays recorded deployments of the official agent on our executor, and compares what became of the host.

    run.py --cases cases.jsonl --bundles FOLDER --golden golden.jsonl [ID ...]

Needs root. Runs in mount and process namespaces of its own, so that the host's folder can be `/` itself: what the
executor keeps there lies in a file system in memory, and no process outlives the run. Exit status 0: all agree.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from grp import getgrgid
from pathlib import Path
from pwd import getpwuid
from typing import Any

import msgspec

import runner.host
from runner.errors import RunnerError
from runner.render.appspec import parse

STATE = Path("/var/lib/penstock")
GROUP = "oracle-group"
COMMANDS = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
]
CODES = {
    "Success": None,
    "ScriptMissing": 1,
    "ScriptNotExecutable": 2,
    "ScriptTimedOut": 3,
    "ScriptFailed": 4,
    "UnknownError": 5,
}
Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--bundles", type=Path, required=True)
    parser.add_argument("--golden", type=Path, required=True)
    parser.add_argument("ids", nargs="*")
    options = parser.parse_args()
    if "PENSTOCK_CONFORMANCE" not in os.environ:
        return isolated()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(STATE)], check=True)
    os.umask(0o022)
    golden = {line["id"]: line for line in lines(options.golden)}
    return compare(
        [case for case in lines(options.cases) if case["id"] in (options.ids or golden)], golden, options.bundles
    )


def lines(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def isolated() -> int:
    """This very program again, in namespaces that end with it."""
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, *sys.argv]
    is_new = not STATE.exists()
    STATE.mkdir(parents=True, exist_ok=True)  # something to mount upon
    try:
        return subprocess.run(command, env={**os.environ, "PENSTOCK_CONFORMANCE": "1"}, check=False).returncode
    finally:
        if is_new:
            STATE.rmdir()


def compare(cases: list[Json], golden: dict[str, Json], bundles: Path) -> int:
    """Run *cases*, print every difference and the count. Returns the exit status."""
    agreed = 0
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="conformance-") as work:
            found = list(differences(run_case(case, bundles, Path(work)), golden[case["id"]]))
        agreed += not found
        for difference in found:
            print(f"{case['id']}: {difference}{' (quirk: ' + case['quirk'] + ')' if 'quirk' in case else ''}")
    print(f"{agreed} of {len(cases)} agree")
    return 0 if agreed == len(cases) else 1


def differences(ours: Json, theirs: Json) -> Iterator[str]:
    if ours["exit"] != theirs["exit"]:
        yield f"exit {ours['exit']}, agent {theirs['exit']}"
    for number, (mine, their) in enumerate(zip(ours["deployments"], theirs["deployments"], strict=True), 1):
        for field in ("exit", "failed_command", "error_code", "script", "hook_order"):
            if mine[field] != (their.get(field) if field != "hook_order" else their.get(field, [])):
                yield f"deployment {number} {field}: {mine[field]!r}, agent {their.get(field)!r} {mine['message']!r}"
        shown = [{key: hook[key] for key in ("event", "script", "stdout")} for hook in their["hooks"]]
        if mine["hooks"] != shown:
            yield f"deployment {number} hooks: {mine['hooks']}, agent {shown}"
    mine, their = ({entry["path"]: entry for entry in tree} for tree in (ours["tree"], theirs["tree"]))
    for path in sorted(mine.keys() | their.keys()):
        left, right = mine.get(path), their.get(path)
        if left is None or right is None:
            yield f"{path}: {'missing' if left is None else 'not there after the agent'}"
            continue
        for field in sorted(left.keys() | right.keys() - {"uid", "gid"}):
            if left.get(field) != right.get(field):
                yield f"{path}: {field} {left.get(field)!r}, agent {right.get(field)!r}"


def run_case(case: Json, bundles: Path, work: Path) -> Json:
    """Deploy everything of *case*, one after the other, on a host that is new."""
    for entry in STATE.iterdir():
        shutil.rmtree(entry)
    root = work / "root"
    root.mkdir(mode=0o755)
    if "seed" in case:
        subprocess.run(["cp", "-a", f"{bundles / case['seed']}/.", str(root)], check=True)
        settle(root, root)
    deployments = [
        deploy(case, deployment, f"d-ORACLE{number:03d}", bundles, work, root)
        for number, deployment in enumerate(case["deployments"], 1)
    ]
    return {"exit": max(one["exit"] for one in deployments), "deployments": deployments, "tree": tree_of(root)}


def deploy(case: Json, deployment: Json, identifier: str, bundles: Path, work: Path, root: Path) -> Json:
    path, kind = bundle_of(bundles / deployment["bundle"], deployment.get("type"), work / identifier, root)
    spec = deployment.get("spec", {})
    request: Json = {
        "deployment": identifier,
        "group_id": GROUP,
        "application": "App",
        "group": "LocalFleet",
        "attempt": 1,
        "folder": "/",
        "appspec_file": deployment.get("appspec_filename", "appspec.yml"),
        "bundle": {"path": str(path), "type": kind, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "file_exists_behavior": deployment.get("behavior", "DISALLOW"),
        "creator": deployment.get("creator", spec.get("DeploymentCreator", "user")),
        "deployment_type": deployment.get("deployment_type", spec.get("DeploymentType", "IN_PLACE")),
        "limits": {"max_revisions": case.get("max_revisions", 5)},
    }
    result: Json = {"exit": 0, "failed_command": None, "error_code": None, "script": None, "message": ""}
    hooks: list[Json] = []
    session = Session()
    for event in deployment.get("commands", COMMANDS):
        outcome, log = session.run(request, event)
        diagnostics = outcome["diagnostics"]
        hooks += hooks_in(event, log, diagnostics["error_code"], root)
        if not outcome["succeeded"]:
            code, script = CODES[diagnostics["error_code"]], diagnostics["script_name"] or None
            result |= {"exit": 1, "failed_command": event, "error_code": code, "script": script}
            result["message"] = diagnostics["message"]
            break
    session.close()
    return result | {"hooks": hooks, "hook_order": [f"{hook['event']}:{hook['script']}" for hook in hooks]}


class Session:
    """A session of the executor, which is asked as the control side asks: with an AppSpec read and checked before."""

    def __init__(self) -> None:
        folder = Path(runner.host.__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(folder), "session"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
        )

    def run(self, request: Json, event: str) -> tuple[Json, str]:
        """The outcome of *event* and what was logged."""
        try:
            appspec = appspec_for(request, event)
        except RunnerError as error:
            diagnostics = {"error_code": "UnknownError", "script_name": "", "message": str(error)}
            return {"succeeded": False, "diagnostics": diagnostics}, ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"id": 1, "run": {**request, "event": event, "appspec": appspec}})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        log = ""
        while True:
            answer = json.loads(self._process.stdout.readline())
            if "end" in answer:
                return answer["end"], log
            log += answer["log"]

    def close(self) -> None:
        self._process.communicate()


def appspec_for(request: Json, event: str) -> Json:
    """The AppSpec of the unpacked revision; the agent reads it at every event, and only Install tries other names."""
    archive = STATE / GROUP / request["deployment"] / "deployment-archive"
    if event == "DownloadBundle" or not archive.exists():
        return {}
    names = [request["appspec_file"], *(("appspec.yaml", "appspec.yml") if event == "Install" else ())]
    for name in names:
        if (archive / name).is_file():
            built: Json = msgspec.to_builtins(parse((archive / name).read_bytes(), name)[0])
            return built
    return {}


def hooks_in(event: str, log: str, error_code: str, root: Path) -> list[Json]:
    """The scripts that ran, by the log, with what they printed. One that was missing did not run."""
    found: list[Json] = []
    for line in log.replace(str(root), "@ROOT@").replace(str(STATE), "@STATE@").splitlines():
        if line.startswith("Script - "):
            found.append({"event": event, "script": line.removeprefix("Script - "), "stdout": []})
        elif line.startswith("[stdout]"):
            found[-1]["stdout"].append(line.removeprefix("[stdout]"))
    return found[:-1] if error_code in ("ScriptMissing", "ScriptNotExecutable") else found


def bundle_of(source: Path, kind: str | None, work: Path, root: Path) -> tuple[Path, str]:
    """An archive of the bundle. Where the agent is given a folder it copies it as root, under the usual umask."""
    if source.is_file():
        return source, kind or "tgz"
    subprocess.run(["cp", "-a", str(source), str(work)], check=True)
    settle(work, root)
    archive = work.with_suffix(".bundle")
    if kind == "zip":
        pack_zip(work, archive)
    else:
        with tarfile.open(archive, "w:gz" if kind == "tgz" else "w") as tar:
            tar.add(work, arcname=".", filter=None if kind else as_copied)
    return archive, kind or "tar"


def as_copied(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode &= ~0o022
    return member


def pack_zip(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in sorted(folder.rglob("*")):
            bundle.write(path, path.relative_to(folder))


def settle(folder: Path, root: Path) -> None:
    """Put the root folder's path in the place of @ROOT@ in every file."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"@ROOT@" in content:
            status = path.stat()
            path.write_bytes(content.replace(b"@ROOT@", str(root).encode()))
            path.chmod(stat.S_IMODE(status.st_mode))


def tree_of(root: Path) -> list[Json]:
    return [described(path, root) for path in [root, *sorted(root.rglob("*"))]]


def described(path: Path, root: Path) -> Json:
    status = path.lstat()
    entry: Json = {
        "path": str(path.relative_to(root)),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": getpwuid(status.st_uid).pw_name,
        "group": getgrgid(status.st_gid).gr_name,
    }
    if path.is_symlink():
        return entry | {"type": "symlink", "target": str(path.readlink()).replace(str(root), "@ROOT@")}
    acl = extended_acl(path)
    if acl:
        entry["acl"] = acl
    if path.is_dir():
        return entry | {"type": "dir"}
    content = path.read_bytes().replace(str(root).encode(), b"@ROOT@")
    return entry | {"type": "file", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def extended_acl(path: Path) -> list[str]:
    """The access list, sorted, where it says more than the mode."""
    done = subprocess.run(["getfacl", "-cEps", str(path)], capture_output=True, text=True, check=True)
    return sorted(line for line in done.stdout.splitlines() if re.match(r"(default:)?(user|group|mask|other):", line))


if __name__ == "__main__":
    sys.exit(main())
