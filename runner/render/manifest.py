"""The manifests of one commit, from text to checked values; every mistake of every file at once.

YAML first, then the schema, then Jinja2 inside scalars, then the schema again, then what no schema can say. Decides
nothing: which groups deploy, and when, is the plan's affair.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from runner import schema, yaml
from runner.errors import InvalidFiles, Mistake, dotted
from runner.model.manifest import Manifest
from runner.render import platform_rules
from runner.render.context import STAND_IN, Context
from runner.render.not_built import NOT_BUILT
from runner.render.rendered import Rendered
from runner.render.scopes import Rendering
from runner.render.settings import Settings
from runner.render.template import is_template
from runner.render.views import Views, is_of_groups

Path: TypeAlias = tuple[Any, ...]

_TOO_MANY = ("maxItems", "maxProperties")  # rules that bound how long rendering takes


def read(files: Mapping[str, str], context: Context, rendered: Rendered | None = None) -> tuple[Manifest, ...]:
    """The manifests of a commit, in the order of their paths; none when there are no *files*.

    *files*: path in the repository to text. *rendered*: those of earlier commits. Raises `InvalidFiles` with every mistake
    of every file.
    """
    manifests, mistakes = _read_all(files, context, rendered or Rendered())
    if mistakes:
        raise InvalidFiles(mistakes)
    return tuple(manifests)


def check(files: Mapping[str, str], context: Context = STAND_IN) -> list[Mistake]:
    """Every mistake of *files*, without a commit: templates see the stand-in's names. Empty when all is well."""
    return sorted(_read_all(files, context, Rendered())[1])


def _read_all(files: Mapping[str, str], context: Context, rendered: Rendered) -> tuple[list[Manifest], list[Mistake]]:
    manifests: list[Manifest] = []
    mistakes: list[Mistake] = []
    seen: dict[str, str] = {}  # application to file
    for file in sorted(files):
        manifest, wrong = _read_one(file, files[file], context, rendered)
        mistakes += wrong
        if manifest is None:
            continue
        if manifest.application in seen:
            mistakes.append(_same_application(file, files[file], manifest.application, seen[manifest.application]))
        seen.setdefault(manifest.application, file)
        manifests.append(manifest)
    return manifests, mistakes


def _read_one(file: str, text: str, context: Context, rendered: Rendered) -> tuple[Manifest | None, list[Mistake]]:
    if known := rendered.find(file, text, context):
        return known, []
    reader = _Reader(file, context)
    manifest, mistakes = reader.read(text), reader.mistakes()
    if manifest is not None and not mistakes:
        rendered.keep(file, text, reader.rendering.names_used(), context, manifest)
    return manifest, mistakes


def _same_application(file: str, text: str, application: str, other: str) -> Mistake:
    message = f"{application} is also the application of {other}; one application has one manifest"
    line = yaml.read(text, file).line(("application",))
    return Mistake(file=file, line=line, path="application", message=message)


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

    def _mistake(self, path: Path, message: str) -> Mistake:
        return Mistake(file=self.file, line=self.document.line(path), path=dotted(path), message=message)

    def _manifest(self, data: Any) -> Manifest | None:
        problems = schema.check(data, "manifest", not_built=NOT_BUILT)
        for problem in problems:
            if not _may_be_mended(problem, data):
                self.report(problem.path, problem.message)
        if not isinstance(data, dict) or any(each.keyword in _TOO_MANY for each in problems):
            return None
        platform_rules.check(data, self.report)
        views = Views(data, self.rendering, self.context)
        if self._problems or self.rendering.mistakes or not views.by_group:
            return None
        if self.rendering.sources and not self._are_valid(views.by_group):
            return None
        manifest = Settings(self.file, data, views.by_group, views.scopes, self._report_certain).manifest()
        return None if self._problems else manifest

    def _report_certain(self, path: Path, message: str) -> None:
        if not self.rendering.is_uncertain(path, self.context):
            self.report(path, message)

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
            platform_rules.check(view, self.report)  # the platform may be a template, too
        return certain and not self._problems

    def _explained(self, problem: schema.Problem, group: str) -> str:
        source = self.rendering.sources.get(problem.path)
        if not source:
            return problem.message
        whom = f", for {group}" if is_of_groups(problem.path) else ""
        return f"{problem.message} (from {schema.describe(source)}{whom})"


def _may_be_mended(problem: schema.Problem, data: Any) -> bool:
    """Whether what is wrong is a template, which may still become what is expected. Text never becomes structure."""
    if problem.is_about_a_key or problem.wants_structure:
        return False
    value = _at(data, problem.path)
    return isinstance(value, str) and is_template(value)


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _put(data: Any, path: Path, value: Any) -> None:
    if path:
        _at(data, path[:-1])[path[-1]] = value
