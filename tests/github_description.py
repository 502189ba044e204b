"""GitHub's own description of its REST API, in OpenAPI. It comes from npm."""

import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PACKAGE = "@octokit/openapi@23.0.2"
_MEMBER = "package/generated/api.github.com.json"


def fetch(folder: Path) -> dict[str, Any]:
    """All of it, by way of *folder*."""
    done = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"npm cannot bring GitHub's description: {done.stderr[-300:]}"
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        content = packed.extractfile(_MEMBER)
        assert content is not None
        described: dict[str, Any] = json.load(content)
    return described


def cut(described: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Only *paths*, as templates, and the components that they need."""
    kept = {name: described["paths"][name] for name in paths}
    components: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [kept]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and str(node.get("$ref", "")).startswith("#/components/"):
            _, _, kind, name = node["$ref"].split("/", 3)
            if name not in components.setdefault(kind, {}):
                components[kind][name] = described["components"][kind][name]
                waiting.append(components[kind][name])
        elif isinstance(node, dict | list):
            waiting += node.values() if isinstance(node, dict) else node
    return {"openapi": described["openapi"], "info": described["info"], "paths": kept, "components": components}
