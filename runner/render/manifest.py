"""The manifests of one commit, from text to checked values; every mistake of every file at once.

YAML first, then the schema, then Jinja2 inside scalars, then the schema again, then what no schema can say. Decides
nothing: which groups deploy, and when, is the plan's affair.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from runner import schema, yaml
from runner.errors import InvalidFiles, Mistake, dotted
from runner.model.manifest import Manifest
from runner.render.context import STAND_IN, Context
from runner.render.names import Names
from runner.render.not_built import NOT_BUILT
from runner.render.scopes import Rendering, application_names
from runner.render.settings import Settings
from runner.render.template import is_template

Path: TypeAlias = tuple[Any, ...]

_TOO_MANY = ("maxItems", "maxProperties")  # rules that bound how long rendering takes


def read(files: Mapping[str, str], context: Context) -> tuple[Manifest, ...]:
    """The manifests of a commit, in the order of their paths; none when there are no *files*.

    *files*: path in the repository to text. Raises `InvalidFiles` with every mistake of every file.
    """
    manifests, mistakes = _read_all(files, context)
    if mistakes:
        raise InvalidFiles(mistakes)
    return tuple(manifests)


def check(files: Mapping[str, str], context: Context = STAND_IN) -> list[Mistake]:
    """Every mistake of *files*, without a commit: templates see the stand-in's names. Empty when all is well."""
    return sorted(_read_all(files, context)[1])


def _read_all(files: Mapping[str, str], context: Context) -> tuple[list[Manifest], list[Mistake]]:
    manifests: list[Manifest] = []
    mistakes: list[Mistake] = []
    seen: dict[str, str] = {}  # application to file
    for file in sorted(files):
        reader = _Reader(file, context)
        manifest = reader.read(files[file])
        mistakes += reader.mistakes()
        if manifest is None:
            continue
        if manifest.application in seen:
            mistakes.append(reader.same_application(manifest.application, seen[manifest.application]))
        seen.setdefault(manifest.application, file)
        manifests.append(manifest)
    return manifests, mistakes


class _Reader:
    """Reads one file."""

    def __init__(self, file: str, context: Context) -> None:
        self.file = file
        self.context = context
        self.document = yaml.Document(None, None)
        self.rendering = Rendering()
        self._unread: tuple[Mistake, ...] = ()
        self._problems: dict[tuple[Path, str], None] = {}  # an ordered set

    def read(self, text: str) -> Manifest | None:
        """None when the file has mistakes that keep it from having a meaning."""
        try:
            self.document = yaml.read(text, self.file)
        except InvalidFiles as error:
            self._unread = error.mistakes
            return None
        if self.document.is_empty:
            self.report((), "is empty; a manifest begins with `penstock: v1`")
            return None
        return self._manifest(self.document.data)

    def report(self, path: Path, message: str) -> None:
        self._problems[path, message] = None

    def mistakes(self) -> list[Mistake]:
        return [*self._unread, *(self._mistake(*problem) for problem in (*self._problems, *self.rendering.mistakes))]

    def same_application(self, application: str, other: str) -> Mistake:
        message = f"{application} is also the application of {other}; one application has one manifest"
        return self._mistake(("application",), message)

    def _mistake(self, path: Path, message: str) -> Mistake:
        return Mistake(file=self.file, line=self.document.line(path), path=dotted(path), message=message)

    def _manifest(self, data: Any) -> Manifest | None:
        problems = schema.check(data, "manifest", not_built=NOT_BUILT)
        for problem in problems:
            if not _may_be_mended(problem, data):
                self.report(problem.path, problem.message)
        if not isinstance(data, dict) or any(each.keyword in _TOO_MANY for each in problems):
            return None
        views = dict(self._views(data))
        if self._problems or self.rendering.mistakes or not views:
            return None
        if self.rendering.sources and not self._are_valid(views):
            return None
        manifest = Settings(self.file, data, views, self._report_certain).manifest()
        return None if self._problems else manifest

    def _report_certain(self, path: Path, message: str) -> None:
        if not self.rendering.is_uncertain(path, self.context):
            self.report(path, message)

    def _views(self, data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Per deployment group the whole manifest as the group sees it: rendered, with this group alone.

        What belongs to the application (its name, revision ...) is rendered without `group`; rollouts and notifications
        are rendered for every group that uses them.
        """
        names, application = self._application(data)
        groups = _mapping(data.get("deployment_groups"))
        scopes = {name: self._group_names(name, data, _mapping(group), names) for name, group in groups.items()}
        rendered = {
            name: self.rendering.render(
                {key: value for key, value in group.items() if key != "vars"} if isinstance(group, dict) else group,
                ("deployment_groups", name),
                scopes[name],
            )
            for name, group in groups.items()
        }
        rollouts = _mapping(data.get("rollouts"))
        used = {_rollout(group) for group in rendered.values()}
        unused = [name for name in rollouts if name not in used]  # checked with the first group's names
        for name, group in rendered.items():
            view = {**application, "deployment_groups": {name: group}}
            wanted = [rollout for rollout in rollouts if rollout == _rollout(group)] + unused
            view |= self._shared("rollouts", {rollout: rollouts[rollout] for rollout in wanted}, scopes[name])
            view |= self._notify(data, name, scopes[name])
            unused = []
            yield name, view

    def _application(self, data: dict[str, Any]) -> tuple[Names, dict[str, Any]]:
        """The names that all groups share, and what of the manifest belongs to the application as a whole."""
        names = application_names(self.context)
        layers = [(("vars",), data.get("vars"))]
        scope = self.rendering.variables(layers, names, quiet=True)
        name = self.rendering.render(data.get("application"), ("application",), scope)
        names["application"] = name if isinstance(name, str) else ""
        scope = self.rendering.variables(layers, names, quiet=bool(data.get("deployment_groups")))
        apart = ("application", "vars", "rollouts", "notify", "deployment_groups")
        own = {key: value for key, value in data.items() if key not in apart}
        return names, {**self.rendering.render(own, (), scope), "application": name}

    def _group_names(self, name: str, data: dict[str, Any], group: dict[str, Any], names: Names) -> Names:
        layers = [(("vars",), data.get("vars")), (("deployment_groups", name, "vars"), group.get("vars"))]
        return self.rendering.variables(layers, Names({**names, "group": name}, hint=names.hint))

    def _shared(self, key: str, value: Any, names: Names) -> dict[str, Any]:
        return {key: self.rendering.render(value, (key,), names)}

    def _notify(self, data: dict[str, Any], group: str, names: Names) -> dict[str, Any]:
        entries = data.get("notify")
        if not isinstance(entries, list):
            return {}
        rendered = [
            self.rendering.render(entry, ("notify", index), names) if _concerns(entry, group) else None
            for index, entry in enumerate(entries)
        ]
        return {"notify": rendered}

    def _are_valid(self, views: dict[str, dict[str, Any]]) -> bool:
        """Check what came out of templates. Text that reads as a number becomes one where a number is expected."""
        certain = True
        for name, view in views.items():
            problems = schema.check(view, "manifest", not_built=NOT_BUILT)
            for problem in problems:
                _put(view, problem.path, self.rendering.as_scalar(_at(view, problem.path), problem.path))
            for problem in schema.check(view, "manifest", not_built=NOT_BUILT) if problems else []:
                if problem.path[:1] == ("notify",) and _at(view, problem.path[:2]) is None:
                    continue  # an entry that is not this group's
                if self.rendering.is_uncertain(problem.path, self.context):
                    certain = False
                    continue
                self.report(problem.path, self._explained(problem, name))
        return certain and not self._problems

    def _explained(self, problem: schema.Problem, group: str) -> str:
        source = self.rendering.sources.get(problem.path)
        return f"{problem.message} (from {schema.describe(source)}, for {group})" if source else problem.message


def _may_be_mended(problem: schema.Problem, data: Any) -> bool:
    """Whether what is wrong is a template, which may still become what is expected. Text never becomes structure."""
    if problem.is_about_a_key or problem.wants_structure:
        return False
    value = _at(data, problem.path)
    return isinstance(value, str) and is_template(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rollout(group: Any) -> Any:
    name = _mapping(group).get("rollout")
    return name if isinstance(name, str) else None


def _concerns(entry: Any, group: str) -> bool:
    groups = _mapping(entry).get("groups")
    return not isinstance(groups, list) or group in groups


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _put(data: Any, path: Path, value: Any) -> None:
    if path:
        _at(data, path[:-1])[path[-1]] = value
