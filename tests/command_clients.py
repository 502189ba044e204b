"""Clients of the agents' command API, made by botocore from the service model in `runner/api/agents/service-2.json`."""

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from runner.api.awsjson.models import commands, commands_secure


def command_client(
    endpoint: str,
    folder: Path,
    *,
    access_key_id: str = "PKTEST",
    secret_access_key: str = "secret",
    secure: bool = False,
    read_timeout: float = 80,
    retries: int = 0,
) -> Any:
    """A boto3 client with the five operations (`poll_host_command`, ...) against *endpoint*.

    *folder* is an empty or earlier used folder for the model, laid out as botocore wants it. *secure*: as an agent with
    `enable_auth_policy` calls. *retries*: beyond the first attempt.
    """
    model = commands_secure() if secure else commands()
    metadata = model["metadata"]
    home = folder / metadata["signingName"] / metadata["apiVersion"]
    home.mkdir(parents=True, exist_ok=True)
    (home / "service-2.json").write_text(json.dumps(model))
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(folder))
    return boto3.Session(access_key_id, secret_access_key, region_name="us-east-1", botocore_session=session).client(
        metadata["signingName"],
        endpoint_url=endpoint,
        config=Config(
            read_timeout=read_timeout,
            retries={"total_max_attempts": retries + 1, "mode": "standard"},
            proxies={},
            parameter_validation=False,
        ),
    )
