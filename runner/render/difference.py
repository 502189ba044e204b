"""How the meaning of a manifest changes: both sides rendered, with everything inherited applied, as YAML, compared.

Both are to be rendered for the same commit and with the same names for what the runner's environment holds, so that only
what somebody wrote differs.
"""

import difflib

import msgspec

from runner import yaml
from runner.model.manifest import Manifest

MOST_LINES = 1_500  # of a rendered manifest; somebody may write one that is slow to compare
MOST_SHOWN = 400  # lines of a difference


def difference(before: Manifest | None, after: Manifest) -> tuple[str, str]:
    """The unified diff, and why there is none: one of the two is "". *before*: None where it had no manifest."""
    old, new = [] if before is None else _lines(before), _lines(after)
    if old == new:
        return "", "its settings stay as they are"
    if max(len(old), len(new)) > MOST_LINES:
        return "", f"its settings change; they have more than {MOST_LINES:,} lines, too many to compare here"
    name = after.file
    shown = list(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (merged)", n=3, lineterm=""))
    if len(shown) > MOST_SHOWN:
        shown = [*shown[:MOST_SHOWN], f"... and {len(shown) - MOST_SHOWN} lines more"]
    return "\n".join(shown), ""


def _lines(manifest: Manifest) -> list[str]:
    return yaml.write(msgspec.to_builtins(manifest)).splitlines()
