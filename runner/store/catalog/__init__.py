"""What the wire API makes, as rows; a manifest's things are in the same. Implements the ports of `runner.ports.catalog`."""

from runner.store.catalog.applications import Applications
from runner.store.catalog.configs import Configs
from runner.store.catalog.groups import Groups
from runner.store.catalog.instances import Instances
from runner.store.catalog.registered import Revisions
from runner.store.catalog.tags import ResourceTags
from runner.store.database import Database


class Catalog:
    """Implements `CatalogStore`."""

    def __init__(self, database: Database) -> None:
        self.applications = Applications(database)
        self.groups = Groups(database)
        self.configs = Configs(database)
        self.revisions = Revisions(database)
        self.tags = ResourceTags(database)
        self.instances = Instances(database)
