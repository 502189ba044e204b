"""The manifest's `revision`: an object in S3, or a container image, as a location that has yet to be resolved."""

from typing import Any

from runner.model.revision import BundleType, DocumentType, ImageLocation, Location, S3Location
from runner.render.steps import Report

_ENDINGS: dict[str, BundleType | DocumentType] = {
    ".tar": "tar",
    ".tgz": "tgz",
    ".tar.gz": "tgz",
    ".zip": "zip",
    ".yaml": "YAML",
    ".yml": "YAML",
    ".json": "JSON",
}


def location(view: dict[str, Any], report: Report) -> Location | None:
    """What *view*, a manifest that has passed the schema, wants to be resolved; None for the commit itself."""
    revision = view.get("revision", {})
    if "image" in revision:
        return ImageLocation(repository=revision["image"]["repository"], tag=revision["image"]["tag"])
    return _in_s3(revision["s3"], view, report) if "s3" in revision else None


def _in_s3(s3: dict[str, Any], view: dict[str, Any], report: Report) -> S3Location:
    by_version = "version" in s3 or "function" in view
    found = S3Location(
        bucket=s3["bucket"],
        key=s3["key"],
        bundle_type=_bundle_type(s3, view, report),
        pin=s3.get("pin", "version" if by_version else "etag"),
        etag=s3["etag"].strip('"') if "etag" in s3 else None,
        version=s3.get("version"),
    )
    if "function" in view and found.pin != "version":
        message = "Lambda takes a version of an object, and no ETag; write pin: version (the bucket needs versions)"
        report(("revision", "s3", "pin"), message)
    return found


def _bundle_type(s3: dict[str, Any], view: dict[str, Any], report: Report) -> BundleType | DocumentType:
    """Given, or told by the key's ending; one that the platform takes."""
    what, wanted = _wanted(view)
    given = s3.get("bundle_type") or next((kind for end, kind in _ENDINGS.items() if s3["key"].endswith(end)), None)
    if given in wanted:
        return given
    choice = " or ".join([", ".join(wanted[:-1]), wanted[-1]]).removeprefix(" or ")
    if given is None:
        message = f"the ending does not tell the kind of the bundle; add bundle_type: {choice}"
        report(("revision", "s3", "key"), message)
    else:
        at = "bundle_type" if "bundle_type" in s3 else "key"
        report(("revision", "s3", at), f"is of type {given}; {what} is of type {choice}")
    return wanted[0]


def _wanted(view: dict[str, Any]) -> tuple[str, tuple[BundleType | DocumentType, ...]]:
    if view["platform"] == "Server":
        return "a bundle for servers", ("tar", "tgz", "zip")
    if "function" in view:
        return "the code of a function", ("zip",)
    return "an AppSpec", ("YAML", "JSON")
