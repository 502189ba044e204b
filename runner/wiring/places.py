"""Where this program finds its files, and what time it is."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from runner.errors import UserError

CONFIG_FILE = "penstock.toml"


def now() -> dt.datetime:
    """The clock of the running program."""
    return dt.datetime.now(dt.UTC)


def state_folder(named: Path | None, environ: Mapping[str, str]) -> Path:
    """`--state`, else `PENSTOCK_STATE`, else the user's state folder."""
    if named is not None:
        return named.absolute()
    if environ.get("PENSTOCK_STATE"):
        return Path(environ["PENSTOCK_STATE"]).absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("penstock"))


def config_file(named: Path | None) -> Path | None:
    """`--config`, else `penstock.toml` in the current folder, else none. Raises `UserError`: the named one is missing."""
    if named is not None:
        if not named.is_file():
            raise UserError(f"there is no configuration file {named}")
        return named
    here = Path(CONFIG_FILE)
    return here if here.is_file() else None
