"""The inputs of the action, as action.yml puts them into the environment: checked, with messages that say what works."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, cast

from runner.errors import UserError
from runner.wiring.places import state_place

Mode: TypeAlias = Literal["standalone", "remote"]
OnCancel: TypeAlias = Literal["stop", "leave"]

_ONLY = {"standalone": ("config", "state"), "remote": ("endpoint", "region", "revision")}


class Inputs(NamedTuple):
    """*folder*: the checkout. *state*: a folder or an address. These, from *config* to *revision*: None where not given."""

    mode: Mode
    folder: Path
    config: Path | None
    state: str | None
    applications: tuple[str, ...]
    groups: tuple[str, ...]
    description: str
    endpoint: str | None
    region: str | None
    revision: str | None
    on_cancel: OnCancel


def read(environ: Mapping[str, str]) -> Inputs:
    """Raises `UserError` that names the input."""
    given = {
        name.removeprefix("INPUT_").lower(): value.strip()
        for name, value in environ.items()
        if name.startswith("INPUT_") and value.strip()
    }
    mode = cast(Mode, _one_of(given, "mode", ("standalone", "remote")))
    _check_mode(given, mode)
    inputs = Inputs(
        mode=mode,
        folder=_folder(given),
        config=Path(given["config"]).absolute() if "config" in given else None,
        state=_state(given),
        applications=_names(given.get("application", "")),
        groups=_names(given.get("deployment_group", "")),
        description=given.get("description", ""),
        endpoint=_endpoint(given, environ) if mode == "remote" else None,
        region=given.get("region"),
        revision=given.get("revision"),
        on_cancel=cast(OnCancel, _one_of(given, "on_cancel", ("stop", "leave"))),
    )
    _check_names(inputs)
    return inputs


def _one_of(given: Mapping[str, str], name: str, allowed: tuple[str, str]) -> str:
    """The first is the default."""
    value = given.get(name, allowed[0])
    if value not in allowed:
        raise UserError(f"input {_shown(name)} is {value!r}; it may be {' or '.join(allowed)}")
    return value


def _check_mode(given: Mapping[str, str], mode: Mode) -> None:
    for other, names in _ONLY.items():
        for name in names:
            if other != mode and name in given:
                raise UserError(f"input {_shown(name)} belongs to `mode: {other}`, and this is `mode: {mode}`")
    if mode == "standalone" and "state" not in given:
        raise UserError(
            "input state is missing: name what outlives this job, such as s3://BUCKET/PREFIX, a PostgreSQL URL, or on a "
            "self-hosted runner a folder such as /var/lib/penstock (docs/github-action.md shows all of them)"
        )


def _folder(given: Mapping[str, str]) -> Path:
    folder = Path(given.get("working_directory", "."))
    if not folder.is_dir():
        raise UserError(f"input working-directory: there is no folder {folder}; is there an actions/checkout before?")
    return folder.absolute()


def _state(given: Mapping[str, str]) -> str | None:
    """Raises `UserError`, which does not repeat what may hold a password."""
    if (state := given.get("state")) is None:
        return None
    place = state_place(Path(state).expanduser() if state.startswith("~") else state, {}, "input state")
    return str(place)


def _endpoint(given: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """boto3's own variable does as well."""
    endpoint = given.get("endpoint") or environ.get("AWS_ENDPOINT_URL_CODEDEPLOY")
    if endpoint and not re.fullmatch(r"https?://[^\s/@]+/?", endpoint):
        raise UserError("input endpoint wants the address of a server alone, such as https://penstock.example.com:8300")
    return endpoint or None


def _names(text: str) -> tuple[str, ...]:
    """One a line, or with commas between."""
    return tuple(dict.fromkeys(name.strip() for name in re.split(r"[,\n]", text) if name.strip()))


def _check_names(inputs: Inputs) -> None:
    if inputs.mode == "standalone":
        return
    for name, values in (("application", inputs.applications), ("deployment-group", inputs.groups)):
        if len(values) != 1:
            raise UserError(f"input {name}: `mode: remote` wants one name, and has {len(values)}; use a step for each")


def _shown(name: str) -> str:
    return name.replace("_", "-")
