"""One look at one repository. Shared by the watchers; when to look is theirs to know."""

from typing import TypeAlias

from runner.config import RepositoryConfig
from runner.ports import Observe, Repository
from runner.watch.select import selected

Watched: TypeAlias = tuple[RepositoryConfig, Repository]


def look(config: RepositoryConfig, repository: Repository, observe: Observe) -> None:
    """Ask *repository* for its heads and pass on those that *config* selects. Blocks; raises what either raises."""
    observe(config.name, selected(repository.heads(), config))
