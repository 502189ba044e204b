"""Which hosts a group has."""

import pytest

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.rollout import Rollout
from runner.model.target import Host
from runner.plan.targets import choose

HOSTS = (
    Host(name="a", tags={"app": "web", "stage": "production"}),
    Host(name="b", tags={"app": "web", "stage": "staging"}),
    Host(name="c", tags={"app": "db", "stage": "production"}),
)


def group(**tags: tuple[str, ...]) -> GroupSettings:
    return GroupSettings(name="g", tags=tags, rollout=Rollout(name="r"))


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ({"app": ("web",)}, ["a", "b"]),
        ({"app": ("web",), "stage": ("production",)}, ["a"]),
        ({"app": ("web", "db"), "stage": ("production",)}, ["a", "c"]),
    ],
)
def test_every_key_must_match_with_one_of_its_values(tags, names):
    assert [host.name for host in choose(HOSTS, group(**tags))] == names


@pytest.mark.parametrize("tags", [{"app": ("Web",)}, {"App": ("web",)}, {"zone": ("a",)}])
def test_no_match_is_an_error_that_names_the_tags(tags):
    with pytest.raises(NoInstances, match=f"{next(iter(tags))}=.*3 hosts are configured"):
        choose(HOSTS, group(**tags))
