"""A push as GitHub sends it, and its signature."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

SECRET = "It's a Secret to Everybody"


def push(npm: Path | None) -> bytes:
    """The longest push of GitHub's own examples, which are installed in *npm*; without them, one of our own of that size."""
    payload = _ours() if npm is None else max(_examples(npm), key=lambda each: len(json.dumps(each)))
    return json.dumps(payload, separators=(",", ":")).encode()


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def _examples(npm: Path) -> list[dict[str, Any]]:
    found = json.loads((npm / "node_modules/@octokit/webhooks-examples/api.github.com/index.json").read_text())
    return next(each["examples"] for each in found if each["name"] == "push")


def _ours() -> dict[str, Any]:
    repository = {
        f"{name}_url": f"https://api.github.example/repos/acme/shop/{name}{{/sha}}" for name in map(str, range(80))
    }
    commit = {"id": "1" * 40, "message": "a change", "added": [], "modified": [f"src/{n}.py" for n in range(40)]}
    return {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": "1" * 40,
        "commits": [commit],
        "repository": repository,
    }
