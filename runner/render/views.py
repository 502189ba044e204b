"""The manifest as each of its deployment groups sees it: rendered, with this group alone."""

from collections.abc import Iterable, Iterator
from typing import Any

from runner.render.context import Context
from runner.render.names import Names
from runner.render.scopes import Rendering, application_names

_PER_GROUP = ("function", "service", "aws")  # rendered for every group, with its names
_APART = ("application", "vars", "checks", "rollouts", "notify", "deployment_groups", *_PER_GROUP)


class Views:
    """*data*: the manifest as written, right or wrong. Mistakes in its templates are noted by *rendering*.

    What belongs to the application (its name, revision ...) is rendered without `group`; `function`, `service` and `aws`
    for every group; rollouts, checks and notifications for every group that uses them.
    *scopes*: per group the names that its templates see.
    """

    def __init__(self, data: dict[str, Any], rendering: Rendering, context: Context) -> None:
        self._data, self._rendering = data, rendering
        names, self._application = self._render_application(application_names(context))
        groups = mapping(data.get("deployment_groups"))
        self.scopes = {name: self._group_names(name, mapping(group), names) for name, group in groups.items()}
        self.by_group = self._views(groups)

    def _views(self, groups: dict[str, Any]) -> dict[str, dict[str, Any]]:
        rendered = {name: self._group(name, group) for name, group in groups.items()}
        views = {
            name: {**self._application, "deployment_groups": {name: group}, **self._own(name)}
            for name, group in rendered.items()
        }
        self._add_shared("rollouts", views, {name: [_rollout(group)] for name, group in rendered.items()})
        self._add_shared("checks", views, {name: list(_checks(view)) for name, view in views.items()})
        for name, view in views.items():
            view |= self._notify(name)
        return views

    def _group(self, name: str, group: Any) -> Any:
        if isinstance(group, dict):
            group = {key: value for key, value in group.items() if key != "vars"}
        return self._rendering.render(group, ("deployment_groups", name), self.scopes[name])

    def _own(self, group: str) -> dict[str, Any]:
        there = [key for key in _PER_GROUP if key in self._data]
        return {key: self._rendering.render(self._data[key], (key,), self.scopes[group]) for key in there}

    def _add_shared(self, key: str, views: dict[str, dict[str, Any]], used: dict[str, list[Any]]) -> None:
        """To each of *views* what it uses of the mapping *key*. What nobody uses is checked with the first group's names."""
        known = mapping(self._data.get(key))
        anybody = {name for names in used.values() for name in names}
        unused = [name for name in known if name not in anybody]
        for group, view in views.items():
            chosen = {name: known[name] for name in known if name in used[group] or name in unused}
            unused = []
            if key in self._data:
                view[key] = self._rendering.render(chosen, (key,), self.scopes[group])

    def _render_application(self, names: Names) -> tuple[Names, dict[str, Any]]:
        """The names that all groups share, and what of the manifest belongs to the application as a whole."""
        data = self._data
        layers = [(("vars",), data.get("vars"))]
        scope = self._rendering.variables(layers, names, quiet=True)
        name = self._rendering.render(data.get("application"), ("application",), scope)
        names["application"] = name if isinstance(name, str) else ""
        scope = self._rendering.variables(layers, names, quiet=bool(data.get("deployment_groups")))
        own = {key: value for key, value in data.items() if key not in _APART}
        return names, {**self._rendering.render(own, (), scope), "application": name}

    def _group_names(self, name: str, group: dict[str, Any], names: Names) -> Names:
        layers = [(("vars",), self._data.get("vars")), (("deployment_groups", name, "vars"), group.get("vars"))]
        return self._rendering.variables(layers, Names({**names, "group": name}, hint=names.hint))

    def _notify(self, group: str) -> dict[str, Any]:
        entries = self._data.get("notify")
        if not isinstance(entries, list):
            return {}
        rendered = [
            self._rendering.render(entry, ("notify", index), self.scopes[group]) if _concerns(entry, group) else None
            for index, entry in enumerate(entries)
        ]
        return {"notify": rendered}


def is_of_groups(path: tuple[Any, ...]) -> bool:
    """Whether what stands at *path* is rendered for each group, and may differ."""
    return bool(path) and path[0] in _APART and path[0] != "application"


def mapping(value: Any) -> dict[str, Any]:
    """*value* where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def _rollout(group: Any) -> Any:
    name = mapping(group).get("rollout")
    return name if isinstance(name, str) else None


def _checks(view: dict[str, Any]) -> Iterator[Any]:
    """The names of checks that a group and its rollout speak of."""
    for group in view["deployment_groups"].values():
        yield from _texts(mapping(group).get("checks"))
    for rollout in mapping(view.get("rollouts")).values():
        steps = mapping(rollout).get("steps")
        for step in steps if isinstance(steps, list) else []:
            yield from _texts(mapping(step).get("check"))
            for verb in mapping(step).values():
                yield from _texts(mapping(verb).get("checks"))


def _texts(value: Any) -> Iterable[str]:
    return (each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _concerns(entry: Any, group: str) -> bool:
    groups = mapping(entry).get("groups")
    return not isinstance(groups, list) or group in groups
