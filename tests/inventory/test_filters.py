"""A tag set as requests to EC2: they find every match, and no more than they must."""

import fnmatch
import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from runner.inventory.filters import queries
from runner.model.tags import TagFilter, matches

WEB, PRODUCTION = TagFilter(key="app", value="web"), TagFilter(key="stage", value="production")


def test_values_of_one_key_are_one_filter_and_other_groups_narrow_it_down():
    api = TagFilter(key="app", value="api")
    assert queries(((WEB, api), (PRODUCTION,))) == [
        [{"Name": "tag:app", "Values": ["web", "api"]}, {"Name": "tag:stage", "Values": ["production"]}]
    ]


def test_the_group_with_the_fewest_kinds_is_asked_for_first():
    mixed = (WEB, TagFilter(key="blue"), TagFilter(value="x"))
    assert queries((mixed, (PRODUCTION,))) == [[{"Name": "tag:stage", "Values": ["production"]}]]
    assert queries((mixed,)) == [
        [{"Name": "tag:app", "Values": ["web"]}],
        [{"Name": "tag-key", "Values": ["blue"]}],
        [{"Name": "tag-value", "Values": ["x"]}],
    ]


def test_nothing_is_asked_for_nothing():
    assert queries(()) == queries(((),)) == []


TEXTS = st.text(alphabet="ab*?\\A", max_size=3)
FILTERS = st.builds(TagFilter, key=st.none() | TEXTS.filter(bool), value=st.none() | TEXTS).filter(
    lambda each: each.key is not None or each.value is not None
)
SETS = st.lists(st.lists(FILTERS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)


@given(SETS, st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3))
def test_whatever_matches_is_found(tag_set, tags):
    if matches(tag_set, tags):
        assert any(all(by_ec2(each, tags) for each in query) for query in queries(tag_set))


def by_ec2(asked, tags):
    """Whether EC2 finds an instance with *tags* by one filter."""
    kind, _, key = asked["Name"].partition(":")
    texts = {"tag-key": list(tags), "tag-value": list(tags.values()), "tag": [tags[key]] if key in tags else []}[kind]
    return any(wildcard(pattern, text) for pattern, text in product(asked["Values"], texts))


def wildcard(pattern, text):
    """Two wildcards, and a backslash that makes the next character an ordinary one."""
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    rules = [
        re.escape(each[-1]) if len(each) == 2 else fnmatch.translate(each)[4:-3] if each in "*?" else re.escape(each)
        for each in pieces
    ]
    return re.fullmatch("".join(rules), text, re.DOTALL) is not None
