"""Where this program finds its files, and what time it is."""

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

from runner.errors import UserError

CONFIG_FILE = "penstock.toml"
_ELSEWHERE = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9+.-]+):/")  # s3://, as a Path has it: with one slash


def now() -> dt.datetime:
    """The clock of the running program."""
    return dt.datetime.now(dt.UTC)


def state_folder(named: Path | None, environ: Mapping[str, str]) -> Path:
    """`--state`, else `PENSTOCK_STATE`, else the user's state folder. Raises `UserError` for what is no folder."""
    if named is not None:
        return _folder(str(named), "--state")
    if environ.get("PENSTOCK_STATE"):
        return _folder(environ["PENSTOCK_STATE"], "PENSTOCK_STATE")
    import platformdirs

    return Path(platformdirs.user_state_dir("penstock"))


def _folder(named: str, by: str) -> Path:
    """The address is not shown: there may be a password in it."""
    if elsewhere := _ELSEWHERE.match(named):
        raise UserError(
            f"{by} is an address ({elsewhere['kind']}:...), and state is kept in folders only, not yet in S3 or in a "
            "database. Name a folder; to share state between machines, run `penstock serve` and ask that"
        )
    return Path(named).absolute()


def config_file(named: Path | None) -> Path | None:
    """`--config`, else `penstock.toml` in the current folder, else none. Raises `UserError`: the named one is missing."""
    if named is not None:
        if not named.is_file():
            raise UserError(f"there is no configuration file {named}")
        return named
    here = Path(CONFIG_FILE)
    return here if here.is_file() else None
