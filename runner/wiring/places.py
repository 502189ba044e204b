"""Where this program finds its files, and what time it is."""

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

from runner.errors import UserError

CONFIG_FILE = "penstock.toml"
_ADDRESS = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9+.-]+):/|[^/]*\bdbname=")  # s3://, and what libpq understands, too
KINDS = ("s3", "postgresql", "postgres")


def now() -> dt.datetime:
    """The clock of the running program."""
    return dt.datetime.now(dt.UTC)


def state_place(named: str | Path | None, environ: Mapping[str, str], by: str = "--state") -> Path | str:
    """`--state`, else `PENSTOCK_STATE`, else the user's state folder. A str is an address: of S3 or a database.

    Raises `UserError` for an address of another kind. No address is shown: there may be a password in it. *by*: what has
    *named* it.
    """
    by, text = (by, str(named)) if named is not None else ("PENSTOCK_STATE", environ.get("PENSTOCK_STATE"))
    if not text:
        import platformdirs

        return Path(platformdirs.user_state_dir("penstock"))
    if not (found := _ADDRESS.match(text)):
        return Path(text).absolute()
    if text.startswith(tuple(f"{kind}://" for kind in KINDS)):
        return text
    raise UserError(
        f"{by} is an address ({found['kind'] or 'dbname='}:...) of a kind that holds no state; name a folder, "
        "s3://BUCKET/PREFIX, or postgresql://USER@HOST/DATABASE"
    )


def state_folder(named: str | Path | None, environ: Mapping[str, str], wanted_by: str) -> Path:
    """As `state_place`, for what needs a folder. *wanted_by*: a verb, for the message. Raises `UserError`."""
    if isinstance(place := state_place(named, environ), Path):
        return place
    raise UserError(
        f"{wanted_by} needs a state folder, and this is an address: state in S3 or in a database is for one process at a "
        "time, that deploys and ends. Name a folder on a disk of its own with --state"
    )


def config_file(named: Path | None) -> Path | None:
    """`--config`, else `penstock.toml` in the current folder, else none. Raises `UserError`: the named one is missing."""
    if named is not None:
        if not named.is_file():
            raise UserError(f"there is no configuration file {named}")
        return named
    here = Path(CONFIG_FILE)
    return here if here.is_file() else None
