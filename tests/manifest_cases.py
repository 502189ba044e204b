"""Manifests to begin with, and what is wrong with those made of them."""

import pytest

from runner.errors import InvalidFiles
from runner.model.revision import Commit
from runner.render.context import Context
from runner.render.manifest import read

COMMIT = Commit(
    id="3f2a" * 10, author="Ada <ada@example.com>", message="Fix {{ everything }}\n", time="2024-05-06T07:08:09+02:00"
)
CONTEXT = Context(commit=COMMIT, branch="main", repository="shop", environment={"STAGE": "blue", "N": "2"})

FULL = """\
penstock: v1
application: shop-web
platform: Server
watch: {branch: main, paths: ["web/**", "appspec.yml"]}
revision:
  s3: {bucket: acme-releases, key: "web/{{ commit.id }}.tgz", pin: etag}
vars: {stage: staging, failures: 2}
rollouts:
  careful:
    minimum_healthy: 90%
    max_failed: "{{ vars.failures }}"
    steps:
      - batch: 1
      - hold: {for: 5m}
      - batch: 25%
        repeat: true
deployment_groups:
  production:
    vars: {stage: production}
    targets: {tags: {app: web, stage: "{{ vars.stage }}", zone: [a, "{{ group }}-b"]}}
    after: {group: staging, bake: 30m}
    rollout: careful
    notify:
      - {to: "webhook:{{ group }}", on: [InstanceFailure]}
  staging:
    targets: {tags: {app: web, stage: "{{ vars.stage }}"}}
    rollback: {on: []}
rollback: {on: [failure, stop]}
notify:
  - {to: "sns:arn:aws:sns:eu-west-1:111122223333:deploys", on: [DeploymentStart, DeploymentFailure]}
  - {to: "webhook:ops", on: [DeploymentRollback], groups: [production]}
"""

SMALL = """\
penstock: v1
application: shop
platform: Server
deployment_groups:
  production:
    targets: {tags: {app: web}}
"""


def mistakes_of(text: str, context: Context = CONTEXT) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        read({"penstock.yaml": text}, context)
    return [str(mistake) for mistake in caught.value.mistakes]


def rollout_of(rollout: str, more: str = "") -> str:
    return SMALL + f"    rollout: mine\nrollouts:\n  mine: {rollout}\n{more}"
