"""GitHub's own example payloads, signed by GitHub's own library. Both come from npm, into a folder that is thrown away."""

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("@octokit/webhooks@14.2.0", "@octokit/webhooks-examples@7.6.1")

_SIGN = """
import { createRequire } from "module";
import { Webhooks } from "@octokit/webhooks";
const examples = createRequire(import.meta.url)("@octokit/webhooks-examples");
const webhooks = new Webhooks({ secret: process.argv[2] });
for (const { name, examples: payloads } of examples.default ?? examples)
  for (const payload of payloads) {
    const body = JSON.stringify(payload);
    console.log(JSON.stringify({ event: name, body, signature: await webhooks.sign(body) }));
  }
"""


class Example(NamedTuple):
    """One delivery of GitHub's."""

    event: str
    body: bytes
    signature: str


def install(folder: Path) -> None:
    """Put the packages into *folder*."""
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"npm cannot install GitHub's packages: {done.stderr[-300:]}"


def examples(folder: Path, secret: str) -> list[Example]:
    """All of them, signed with *secret*."""
    (folder / "sign.mjs").write_text(_SIGN)
    done = subprocess.run(
        ["node", "sign.mjs", secret], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return [Example(each["event"], each["body"].encode(), each["signature"]) for each in told]
