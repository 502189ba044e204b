"""What CI runs: the executor agrees with the official agent wherever we mean it to, and `quirks.md` says where we do not.

Needs root, as `run.py` does. Exit status 0: all is as it should be.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
_ROW = re.compile(r"\| (?P<case>[\w.-]+) \| .+ \| (?P<copied>yes|no) \| .+ \|")


def main() -> int:
    if os.geteuid() != 0:
        print("the recorded deployments change owners: run this as root", file=sys.stderr)
        return 1
    cases = [json.loads(line) for line in (HERE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = {row["case"]: row["copied"] for row in _ROW.finditer((HERE / "quirks.md").read_text(encoding="utf-8"))}
    quirks = {case["id"] for case in cases if "quirk" in case}
    if unlike := quirks ^ chosen.keys():
        print(f"quirks.md and cases.jsonl do not name the same cases: {', '.join(sorted(unlike))}", file=sys.stderr)
        return 1
    left_out = {case for case, copied in chosen.items() if copied == "no"}
    with tempfile.TemporaryDirectory(prefix="conformance-") as bundles:
        subprocess.run(["tar", "-xpzf", str(HERE / "cases.tgz"), "-C", bundles], check=True)
        if replay(bundles, [case["id"] for case in cases if case["id"] not in left_out]) != 0:
            return 1
        for case in sorted(left_out):
            if replay(bundles, [case], quiet=True) == 0:
                print(f"{case} agrees by now; say so in quirks.md", file=sys.stderr)
                return 1
    print(f"{len(left_out)} quirks are not copied, as quirks.md says: {', '.join(sorted(left_out))}")
    return 0


def replay(bundles: str, ids: list[str], *, quiet: bool = False) -> int:
    files = ["--cases", str(HERE / "cases.jsonl"), "--golden", str(HERE / "golden.jsonl"), "--bundles", bundles]
    command = [sys.executable, str(HERE / "run.py"), *files, *ids]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode


if __name__ == "__main__":
    raise SystemExit(main())
