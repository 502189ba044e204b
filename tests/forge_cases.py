"""What tests of reports have in common: a configuration, reports as messages, a key of a GitHub App."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from forge_stub import Forge

from runner.config import Config, ForgeConfig, ForgesConfig, ReportConfig, RepositoryConfig
from runner.model.report import Report
from runner.ports import Message

COMMIT, OTHER = "a" * 40, "b" * 40
TOKEN = "t0ken-Secret"
APP_ID = "12"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def config(
    forge: Forge, to: Any = "github", *, app: Path | None = None, ca_file: Path | None = None, **report: Any
) -> Config:
    """One repository, `shop`, that is `acme/shop` at *forge*. *app*: the key of the App that logs in; else a token does."""
    where = ForgeConfig(api_url=forge.url, ca_file=str(ca_file) if ca_file else None)
    github = msgspec.structs.replace(where, app_id=APP_ID, private_key=f"file:{app}") if app else where
    login: dict[str, Any] = {} if app else {"token": "env:FORGE_TOKEN"}
    repository = RepositoryConfig(
        name="shop",
        url="https://github.com/acme/shop.git",
        github_app=app is not None,
        report=ReportConfig(to=to, **{**login, **report}),
    )
    forges = ForgesConfig(github=github, bitbucket=where, bitbucket_data_center=where)
    return Config(repositories=(repository,), forges=forges, dashboard_url="https://penstock.example.com/")


def report(**changes: Any) -> Report:
    fields: dict[str, Any] = {
        "kind": "status",
        "repository": "shop",
        "commit_id": COMMIT,
        "application": "api",
        "group": "production",
        "deployment_id": "d-AB12CD34E",
        "state": "Running",
        "text": "d-AB12CD34E has begun",
    }
    return Report(**{**fields, **changes})


def message(to: str = "github:shop", **changes: Any) -> Message:
    """A report on its way."""
    body = msgspec.to_builtins(report(**changes))
    return Message(id=1, to=to, event="DeploymentStart", subject="", body=body, created_at=now())


def new_app(forge: Forge, folder: Path, *installed: str) -> Path:
    """Make *forge* know an App, installed on so many repositories. Returns the file of its private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forge.github.app = (APP_ID, key.public_key())
    forge.github.installed = list(installed)
    file = folder / "app.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return file
