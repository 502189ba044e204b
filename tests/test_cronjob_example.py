"""The CronJob for Kubernetes in docs/examples, beside the image and the command line that it is for."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli import exits

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def pod() -> dict[str, Any]:
    job, _claim = yaml.safe_load_all((ROOT / "docs/examples/kubernetes-cronjob.yaml").read_text())
    template: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]
    return {**template["template"]["spec"], "policy": template["podFailurePolicy"]}


def test_its_arguments_are_ones_that_the_command_takes(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    command = [sys.executable, "-m", "runner", *container["args"], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*command[:-1], "--no-such-option"], capture_output=True, text=True, check=False)
    assert done.returncode == exits.USERS_MISTAKE


def test_it_runs_as_the_images_user_and_mounts_what_the_image_writes(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user
    assert [pod["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")] == [
        int(user[1]),
        int(user[2]),
        int(user[2]),
    ]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounted = {each["mountPath"]: each.get("readOnly", False) for each in container["volumeMounts"]}
    assert mounted == {"/var/lib/penstock": False, "/etc/penstock": True, "/tmp": False}
    assert "PENSTOCK_STATE=/var/lib/penstock" in DOCKERFILE
    assert "WORKDIR /etc/penstock" in DOCKERFILE
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}


def test_a_state_folder_that_is_busy_fails_no_job(pod: dict[str, Any]) -> None:
    (rule,) = pod["policy"]["rules"]
    assert rule["onExitCodes"]["values"] == [exits.BUSY]
    assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"]
