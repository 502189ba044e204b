"""Which hosts a group has."""

import pytest

from runner.errors import NoInstances
from runner.model.manifest import GroupSettings
from runner.model.rollout import Rollout
from runner.model.tags import TagFilter, matches
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
    with pytest.raises(NoInstances, match=f"{next(iter(tags))}=.*3 hosts are known"):
        choose(HOSTS, group(**tags))


ANY_WEB, ANY_PRODUCTION = TagFilter(key="app", value="web"), TagFilter(value="production")


@pytest.mark.parametrize(
    ("tag_set", "names"),
    [
        (((ANY_WEB,),), ["a", "b"]),
        (((ANY_WEB, ANY_PRODUCTION),), ["a", "b", "c"]),
        (((ANY_WEB,), (ANY_PRODUCTION,)), ["a"]),
        (((TagFilter(key="stage"),),), ["a", "b", "c"]),
        (((TagFilter(key="stage", value="prod*n"),),), ["a", "c"]),
        (((TagFilter(value="*b*"),),), ["a", "b", "c"]),
        (((TagFilter(value="prod*production"),),), []),
        (((TagFilter(value="p*d*t*n"),),), ["a", "c"]),
    ],
)
def test_a_host_matches_one_filter_of_every_group_of_a_tag_set(tag_set, names):
    assert [host.name for host in HOSTS if matches(tag_set, host.tags)] == names


def test_a_group_without_tags_has_no_hosts():
    with pytest.raises(NoInstances, match="names no tags"):
        choose(HOSTS, GroupSettings(name="g", rollout=Rollout(name="r")))
