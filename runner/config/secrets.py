"""Secrets are references, `env:NAME` and `file:PATH`; they are looked up when they are used, never when they are read."""

import os
from collections.abc import Mapping
from pathlib import Path

from runner.errors import UserError
from runner.log import Secret


def secret(reference: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """What `env:NAME` or `file:PATH` refers to, now. A file's last line break is not part of the secret.

    Raises `UserError` when it is not there, without ever showing it.
    """
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            if not environ.get(name):
                raise UserError(
                    f"the secret {reference} is missing: the environment variable {name} is not set or empty"
                )
            return Secret(environ[name])
        case "file":
            return _of_file(reference, Path(name))
        case _:
            raise UserError("a secret must be a reference, env:NAME or file:PATH")


def _of_file(reference: str, path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"the secret {reference} cannot be read: {reason}") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UserError(f"the secret {reference} is empty")
    return Secret(text)
