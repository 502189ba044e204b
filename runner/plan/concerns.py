"""Which applications a change concerns: by the ref that they watch, and by the paths that differ."""

from collections.abc import Collection

from runner.model.manifest import Manifest
from runner.plan.refs import matches


def watches(wanted: Manifest, *, branch: str | None, tag: str | None = None) -> bool:
    """Whether the application is deployed from that branch or tag."""
    watch = wanted.watch
    if tag is not None:
        return watch.tag is not None and matches(watch.tag, tag)
    if watch.branch is None:
        return watch.tag is None  # whoever asks for tags only does not deploy branches
    return matches(watch.branch, branch or "")


def is_touched(wanted: Manifest, changed: Collection[str] | None) -> bool:
    """*changed*: paths; None when history was rewritten beyond what we know."""
    if changed is None:
        return True
    patterns = wanted.watch.paths
    if patterns is None:
        patterns = (f"{wanted.root}/**",) if wanted.root else ("**",)
    return any(path == wanted.file or any(matches(each, path) for each in patterns) for path in changed)
