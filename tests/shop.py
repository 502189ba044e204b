"""The least that a repository needs to be deployed to one host."""

MANIFEST = """penstock: v1
application: shop
platform: Server
deployment_groups:
  production:
    targets: {tags: {stage: production}}
    rollout: CodeDeployDefault.AllAtOnce
"""


def appspec(source: str) -> str:
    """*source*: what is put into /srv."""
    return f"version: 0.0\nos: linux\nfiles:\n  - {{source: {source}, destination: /srv}}\n"
