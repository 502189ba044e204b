"""All operations on what deployments are made of: applications, groups, configurations, revisions, tags, instances."""

from runner.api.call import Operation
from runner.api.codedeploy import applications, configs, github, groups, on_premises, revisions, tags
from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.on_premises import Hosts
from runner.ports.catalog import CatalogStore


def operations(catalog: CatalogStore, hosts: Hosts, arns: Arns) -> dict[str, Operation]:
    """By their names. *hosts*: of the configuration, without those that were registered through the API."""
    return {
        **applications.operations(catalog),
        **groups.operations(catalog, arns.region),
        **configs.operations(catalog.configs),
        **revisions.operations(catalog),
        **tags.operations(catalog, arns),
        **on_premises.operations(catalog, hosts, arns),
        **github.operations(),
    }
