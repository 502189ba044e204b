"""The revision that a server is asked to deploy, in CodeDeploy's shape."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from runner.cli.action.inputs import Inputs
from runner.errors import UserError

_BUNDLES = {
    ".zip": "zip",
    ".tgz": "tgz",
    ".tar.gz": "tgz",
    ".tar": "tar",
    ".yaml": "YAML",
    ".yml": "YAML",
    ".json": "JSON",
}


def revision(inputs: Inputs, environ: Mapping[str, str]) -> dict[str, Any]:
    """What `revision` says, else this commit on GitHub. In CodeDeploy's shape."""
    if inputs.revision:
        return _in_s3(inputs.revision)
    repository, commit = environ.get("GITHUB_REPOSITORY"), environ.get("GITHUB_SHA")
    if not repository or not commit:
        raise UserError("input revision is missing, and there are no GITHUB_REPOSITORY and GITHUB_SHA to take instead")
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": repository, "commitId": commit}}


def _in_s3(text: str) -> dict[str, Any]:
    """`s3://bucket/key?versionId=...&eTag=...`."""
    parts = urlsplit(text)
    key, pins = unquote(parts.path.lstrip("/")), parse_qs(parts.query)
    kind = next((kind for suffix, kind in _BUNDLES.items() if key.lower().endswith(suffix)), None)
    if parts.scheme != "s3" or not parts.netloc or kind is None or pins.keys() - {"versionId", "eTag"}:
        raise UserError(
            f"input revision is {text!r}; it wants s3://BUCKET/KEY, with ?versionId=... or ?eTag=... if you like, and a "
            f"key that ends in {', '.join(_BUNDLES)}. Without it this commit of GITHUB_REPOSITORY is deployed"
        )
    names = {"versionId": "version", "eTag": "eTag"}
    location = {"bucket": parts.netloc, "key": key, "bundleType": kind}
    return {"revisionType": "S3", "s3Location": location | {names[name]: found[0] for name, found in pins.items()}}


def label(revision: Mapping[str, Any]) -> str:
    """A revision location as people write it."""
    match revision:
        case {"gitHubLocation": where}:
            return f"github:{where.get('repository')}@{where.get('commitId')}"
        case {"s3Location": where}:
            pin = f"?versionId={where['version']}" if where.get("version") else ""
            return f"s3://{where.get('bucket')}/{where.get('key')}{pin}"
    return str(revision.get("revisionType", ""))
