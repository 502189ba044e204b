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


LAMBDA = """\
penstock: v1
application: resize
platform: Lambda
watch: {branch: main, paths: ["resize/**"]}
revision:
  s3: {bucket: acme-functions, key: "resize/{{ commit.id }}.zip", pin: version}
function: {name: "resize-{{ group }}", alias: live}      # or appspec: appspec.yaml, as CodeDeploy has it
checks:
  errors: {cloudwatch_alarm: "resize-{{ group }}-errors"}
rollouts:
  ramp:
    steps:
      - shift: 5%
      - hold: {for: 10m, checks: [errors]}
      - shift: {by: 20%, every: 2m, checks: [errors]}
deployment_groups:
  staging: {rollout: CodeDeployDefault.LambdaAllAtOnce}
  production: {after: {group: staging, bake: 15m}, rollout: ramp}
rollback: {on: [failure, alarm]}
"""

ECS_WITHOUT_VARS = """\
penstock: v1
application: api
platform: ECS
watch: {branch: main}
revision:
  image: {repository: "{{ vars.registry }}/api", tag: "{{ commit.id }}", pin: digest}
service:
  cluster: "{{ group }}"
  name: api
  task_definition: ecs/task.json                 # rendered, registered, pinned to its revision
  container: {name: api, port: 8080}
  routes:
    - {listener: "{{ vars.listener }}", test_listener: "{{ vars.test_listener }}", target_groups: [api-blue, api-green]}
rollouts:
  blue_green:
    steps:
      - scale: 100%
      - check: [contract]
      - shift: 10%
      - hold: {for: 15m, checks: [errors]}
      - shift: 100%
      - retire: {after: 1h, checks: [errors]}
checks:
  contract: {http: "https://{{ vars.host }}:9443/healthz", expect: 200}
  errors: {cloudwatch_alarm: "api-{{ group }}-5xx"}
deployment_groups:
  staging: {vars: {}, rollout: CodeDeployDefault.ECSAllAtOnce}
  production: {vars: {}, after: {group: staging, bake: 1h}, rollout: blue_green}
rollback: {on: [failure, alarm, stop]}
"""

LISTENERS = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener"
_STAGING = f"{{listener: '{LISTENERS}/app/s/1/1'}}"
_PRODUCTION = f"{{host: api.example.com, listener: '{LISTENERS}-rule/app/p/1/1/1'}}"
ECS = (
    ECS_WITHOUT_VARS.replace("staging: {vars: {}", f"staging: {{vars: {_STAGING}").replace(
        "production: {vars: {}", f"production: {{vars: {_PRODUCTION}"
    )
    + f"vars: {{registry: registry.example.com, test_listener: '{LISTENERS}/app/t/1/1'}}\n"
)
