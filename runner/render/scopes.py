"""Which names a template sees where, and the rendering of a whole piece of a manifest, scalar by scalar."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from runner.render import template
from runner.render.context import Context
from runner.render.names import Names, TemplateMistake
from runner.yaml import core_scalar

Path: TypeAlias = tuple[Any, ...]

MOST_TEMPLATES = 1_000  # different ones in one manifest
MOST_RENDERED = 5_000  # times, as what groups share is rendered for each of them


class _AnyName(Names):
    """Stands for variables that nobody knows here: each holds its own name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return name


def application_names(context: Context) -> Names:
    """The names of a commit, without `application`, `group` and `vars`."""
    commit = context.commit
    values: dict[str, Any] = {
        "commit": Names(
            {
                "id": commit.id,
                "short": commit.id[:10],
                "author": commit.author,
                "message": commit.message[: template.MAX_TEXT // 2],
                "time": commit.time,
            },
            "commit",
        ),
        "repository": context.repository,
        "env": _environment(context.environment),
    }
    values |= {name: value for name in ("branch", "tag") if (value := getattr(context, name)) is not None}
    return Names(
        values, hint="names are commit, branch, tag, repository, application, vars, env and, in a group, group"
    )


def _environment(environment: Mapping[str, str] | None) -> Names:
    if environment is None:
        return _AnyName({}, "env")
    return Names(
        environment, "env", "the runner's configuration must allow it (template_environment) and it must be set"
    )


class Rendering:
    """Renders pieces of one manifest. Collects the mistakes, and which paths came out of templates."""

    def __init__(self) -> None:
        self.mistakes: dict[tuple[Path, str], None] = {}  # an ordered set: one piece may be rendered for several groups
        self.sources: dict[Path, str] = {}  # path of a rendered scalar: its template
        self._rendered = 0
        self._distinct: set[str] = set()

    def render(self, data: Any, path: Path, names: Names) -> Any:
        """*data* with every scalar rendered; a scalar that fails stays as it is, and is noted. Keys stay as they are."""
        if isinstance(data, str):
            return self._scalar(data, path, names)
        if isinstance(data, dict):
            return {key: self.render(value, (*path, key), names) for key, value in data.items()}
        if isinstance(data, list):
            return [self.render(value, (*path, index), names) for index, value in enumerate(data)]
        return data

    def variables(self, layers: list[tuple[Path, Any]], names: Names, *, quiet: bool = False) -> Names:
        """*names* with `vars`: the mappings of *layers*, a later one over an earlier one, rendered in the order written.

        A variable that fails is left out; *quiet*: without a word, because every group that uses it renders it again.
        """
        merged: dict[str, tuple[Path, Any]] = {}
        for path, layer in layers:
            for key, value in (layer if isinstance(layer, dict) else {}).items():
                merged[key] = ((*path, key), value)
        known = Names({}, "vars", "a variable sees those written above it")
        names = Names({**names, "vars": known}, hint=names.hint)
        for key, (path, value) in merged.items():
            try:
                known[key] = self._text(value, path, names) if isinstance(value, str) else value
            except TemplateMistake as mistake:
                if not quiet or not template.is_valid(value):
                    self.mistakes[path, mistake.message] = None
        known.hint = "a variable that uses group is known only inside deployment groups" if quiet else ""
        return names

    def is_uncertain(self, path: Path, context: Context) -> bool:
        """Whether what stands at *path*, or inside, hangs on variables of an environment that is not known here."""
        if context.environment is not None:
            return False
        used = {at: template.names_used(source) for at, source in self.sources.items()}
        unknown = {"env"}
        if any("vars" in at and "env" in names for at, names in used.items()):
            unknown.add("vars")
        return any(at[: len(path)] == path and names & unknown for at, names in used.items())

    def names_used(self) -> frozenset[str]:
        """The top-level names that its templates mention."""
        return frozenset(name for source in set(self.sources.values()) for name in template.names_used(source))

    def as_scalar(self, data: Any, path: Path) -> Any:
        """What the rendered text *data* would mean as a plain scalar of YAML: `2` from "2"."""
        if path not in self.sources or not isinstance(data, str):
            return data
        try:
            return core_scalar(data)
        except ValueError:
            return data

    def _scalar(self, text: str, path: Path, names: Names) -> str:
        try:
            return self._text(text, path, names)
        except TemplateMistake as mistake:
            self.mistakes[path, mistake.message] = None
            return text

    def _text(self, text: str, path: Path, names: Names) -> str:
        if not template.is_template(text):
            return text
        self.sources[path] = text
        self._rendered += 1
        self._distinct.add(text)
        if self._rendered > MOST_RENDERED or len(self._distinct) > MOST_TEMPLATES:
            message = f"holds more than {MOST_TEMPLATES:,} templates, or renders them more than {MOST_RENDERED:,} times"
            self.mistakes[(), message] = None
            return text
        return template.render(text, names)
