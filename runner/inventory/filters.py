"""A tag set as filters of DescribeInstances, which find at least the instances that match. Pure.

In EC2, the filters of a request must all hold, and of the values of a filter any; `*` stands for any text and `?` for any
character. Source: EC2 API reference, "DescribeInstances"; EC2 user guide, "List and filter your resources".
"""

from typing import Any, TypeAlias

from runner.model.tags import TagFilter, TagSet

Filters: TypeAlias = list[dict[str, Any]]


def queries(tag_set: TagSet) -> list[Filters]:
    """The requests whose answers hold together every match: one for each kind of filter in the group with the fewest.

    The other groups narrow them down, where one filter of EC2 can say a whole group.
    """
    groups = [_filters(group) for group in tag_set if group]
    if not groups:
        return []
    first = min(groups, key=len)
    narrowing = [group[0] for group in groups if group is not first and len(group) == 1]
    return [[each, *narrowing] for each in first]


def _filters(group: tuple[TagFilter, ...]) -> Filters:
    """One for each name of a filter, with all values that it may have."""
    values: dict[str, list[str]] = {}
    for each in group:
        name, value = _filter(each)
        values.setdefault(name, []).append(value)
    return [{"Name": name, "Values": list(dict.fromkeys(some))} for name, some in values.items()]


def _filter(tag: TagFilter) -> tuple[str, str]:
    if tag.key is None:
        return "tag-value", _pattern(tag.value or "*")
    if not tag.value or "\\" in tag.key:
        return "tag-key", _pattern(tag.key)
    return f"tag:{tag.key}", _pattern(tag.value)


def _pattern(text: str) -> str:
    """*text* without the backslashes that EC2 would take for its own."""
    return text.replace("\\", "?")
