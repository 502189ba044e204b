"""Manifests of groups whose hosts are replaced by others."""

import datetime as dt

import pytest
from manifest_cases import CONTEXT, mistakes_of

from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.tags import TagFilter
from runner.render.manifest import read

REPLACED = """\
penstock: v1
application: shop
platform: Server
deployment_groups:
  production:
    targets: {tags: {fleet: a}}
    load_balancer: {haproxy: [edge/app]}
    blue_green:
      green: {tags: {fleet: b}}
"""
HOUR = dt.timedelta(hours=1)


def group(text: str) -> GroupSettings:
    (made,) = read({"penstock.yaml": text}, CONTEXT)
    return made.groups[0]


def test_other_hosts_take_over_at_once_and_the_original_is_kept() -> None:
    made = group(REPLACED)
    assert made.green == Green(fleet=Fleet(tags={"fleet": ("b",)}))
    assert made.blue_green == BlueGreen(ready_wait=None, termination_wait=None)


def test_traffic_may_wait_and_the_original_may_end() -> None:
    made = group(REPLACED + "      ready: {wait: 1h}\n      original: terminate\n      after: 2h\n")
    assert made.blue_green == BlueGreen(ready_wait=HOUR, termination_wait=2 * HOUR)
    assert group(REPLACED + "      original: terminate\n").blue_green.termination_wait == dt.timedelta(0)


def test_the_others_may_be_instances_or_a_copy() -> None:
    made = group(
        REPLACED.replace("green: {tags: {fleet: b}}", "green: {ec2: {tags: {fleet: b}}, auto_scaling_groups: [web]}")
    )
    tags = ((TagFilter(key="fleet", value="b"),),)
    assert made.green == Green(fleet=Fleet(ec2=Ec2Targets(tag_set=tags, auto_scaling_groups=("web",))))
    copied = REPLACED.replace("green: {tags: {fleet: b}}", "copy: true")
    made = group(copied.replace("{tags: {fleet: a}}", "{auto_scaling_groups: [web]}"))
    assert made.green == Green(copy=True)
    made = group(copied.replace("{tags: {fleet: a}}", "{auto_scaling_groups: [web], termination_hook: true}"))
    assert made.green == Green(copy=True) and made.termination_hook


def test_the_targets_say_for_both_fleets_whether_instances_that_end_are_stopped() -> None:
    either = REPLACED.replace("{tags: {fleet: b}}", "{auto_scaling_groups: [web]}")
    assert group(either.replace("{tags: {fleet: a}}", "{tags: {fleet: a}, termination_hook: true}")).termination_hook


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "    load_balancer: {haproxy: [edge/app]}\n",
            "",
            "blue_green: moves traffic, and the group has no load_balancer",
        ),
        ("green: {tags: {fleet: b}}", "original: keep", "blue_green: names no replacement"),
        ("green: {tags: {fleet: b}}", "copy: false", "blue_green.copy: expected"),
        ("green: {tags: {fleet: b}}", "copy: true", "blue_green.copy: copies the one Auto Scaling group of targets"),
        ("green: {tags: {fleet: b}}", "green: {tags: {fleet: b}}\n      copy: true", "leave out one of the two"),
        ("green: {tags: {fleet: b}}", "green: {tags: {fleet: a}}", "blue_green.green: names the same hosts as targets"),
        (
            "green: {tags: {fleet: b}}",
            "green: {tags: {fleet: b}, termination_hook: true}",
            "blue_green.green.termination_hook: goes for both fleets; say it in targets",
        ),
        ("fleet: b}}", "fleet: b}}\n      after: 1h", "blue_green.after: is for original: terminate"),
        ("fleet: b}}", "fleet: b}}\n      ready: {wait: 49h}", "blue_green.ready: is longer than 48 hours"),
        ("fleet: b}}", "fleet: b}}\n      ready: {}", "blue_green.ready: wait is missing"),
        ("platform: Server", "platform: Lambda", "blue_green: blue_green is for servers"),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, words: str) -> None:
    assert before in REPLACED
    found = mistakes_of(REPLACED.replace(before, after))
    assert any(words in each for each in found), found
