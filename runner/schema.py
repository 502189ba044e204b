"""Data against one of the shipped JSON Schemas, with messages that are our own: short, with a line and the nearest key.

The schemas carry three keywords of our own: `x-expected` says in words what a value should be, `x-missing` what to do
when it is not there, `x-secret` that the value must not be shown. Knows nothing of what the data means.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import msgspec

from runner import resources
from runner.errors import Mistake, dotted

Path: TypeAlias = tuple[Any, ...]

NotBuilt: TypeAlias = Mapping[str, frozenset[str]]
"""Words that a user may rightly hope for and that this version does not know yet.

From the dotted path of a mapping (of its keys) or of a scalar (of its values), with `*` for any name or index, to words.
"""


MOST_PROBLEMS = 200
"""Of one file; finding the nearest key for each of 50,000 unknown ones would take a minute."""


class Problem(NamedTuple):
    """One thing that is wrong. *keyword*: the rule of JSON Schema that says so.

    *wants_structure*: a mapping or a list is expected where something else stands.
    """

    path: Path
    keyword: str
    message: str
    wants_structure: bool = False

    @property
    def is_about_a_key(self) -> bool:
        """Whether the key at the end of the path is at fault, whatever its value."""
        return self.keyword in ("additionalProperties", "propertyNames")


def check(data: Any, schema: str, *, not_built: NotBuilt | None = None) -> list[Problem]:
    """Everything that is wrong with *data* by `schemas/<schema>.schema.json`; an empty list when it is right."""
    validator = _validator(schema)
    if validator.is_valid(data):
        return []
    found = _problems(data, schema, not_built or {})
    problems = dict.fromkeys(islice(found, MOST_PROBLEMS))  # once each, in order
    if next(found, None):
        problems[Problem((), "", f"has more mistakes than the {MOST_PROBLEMS} that are shown")] = None
    return [problem for problem in problems if problem.keyword != "oneOf" or not _is_explained(problem, problems)]


def _is_explained(problem: Problem, problems: Iterable[Problem]) -> bool:
    """Whether something more precise is said about the same value, or about what is inside it."""
    depth = len(problem.path)
    return any(other.path[:depth] == problem.path and other.keyword != "oneOf" for other in problems)


def mistakes(problems: Iterable[Problem], file: str, line: Callable[[Path], int]) -> list[Mistake]:
    """*problems* for people. *line* finds the line of a path in *file*."""
    return [Mistake(file=file, line=line(p.path), path=dotted(p.path), message=p.message) for p in problems]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that somebody who wrote *word* most likely meant, None when none is near."""
    import difflib  # only those who err pay for it

    candidates = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean production?`, or the known words when none is near, or nothing when there are none."""
    known = list(known)
    if near := nearest(word, known):
        return f"; did you mean {near}?"
    return f"; known here: {', '.join(known)}" if known else ""


@functools.cache
def load(schema: str) -> dict[str, Any]:
    """The shipped schema of that name, as plain data. Do not change it."""
    text = resources.read("schemas", f"{schema}.schema.json")
    return msgspec.json.decode(text, type=dict[str, Any])  # noqa: TID251 - no struct, and no room above this one


@functools.cache
def _validator(schema: str) -> Any:
    import jsonschema_rs  # a third of the start of `penstock validate`

    return jsonschema_rs.Draft202012Validator(load(schema))


def _problems(data: Any, schema: str, not_built: NotBuilt) -> Iterator[Problem]:
    for error in _validator(schema).iter_errors(data):
        path = tuple(error.instance_path)
        rule = _subschema(load(schema), error.schema_path[:-1])
        keyword = error.kind.name
        match keyword:
            case "additionalProperties":
                for key in error.kind.unexpected:
                    yield Problem((*path, key), keyword, _unknown(path, key, rule, load(schema), not_built))
            case "propertyNames":
                key = error.kind.error.instance
                yield Problem((*path, key), keyword, f"a key must be {expectation(rule)}")
            case "required":
                yield Problem(path, keyword, _missing(error.kind.property, rule, load(schema)))
            case _:
                message = _wrong(_at(data, path), path, keyword, rule, not_built)
                yield Problem(path, keyword, message, keyword == "type" and rule["type"] in ("object", "array"))


def _subschema(schema: dict[str, Any], path: Iterable[Any]) -> dict[str, Any]:
    here: Any = schema
    for step in path:
        here = here[step]
    found: dict[str, Any] = here
    return found


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """*part* with its `$ref`, if it has one, looked up; what stands beside the reference wins."""
    if "$ref" not in part:
        return part
    return {**_subschema(schema, part["$ref"].removeprefix("#/").split("/")), **part}


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _unknown(path: Path, key: str, rule: dict[str, Any], schema: dict[str, Any], not_built: NotBuilt) -> str:
    if key in _words(path, not_built):
        return "is not built yet in this version of Penstock; leave it out"
    here = rule.get("properties", {})
    if path and key in schema.get("properties", {}):
        return f"unknown key here; {key} belongs to the top level of the file, in TOML above the first [table]"
    if not nearest(key, here) and (elsewhere := nearest(key, _homes(schema))):
        return f"unknown key; did you mean {elsewhere}? It is a key of {_homes(schema)[elsewhere]}"
    return f"unknown key{did_you_mean(key, here)}"


def _homes(schema: dict[str, Any]) -> dict[str, str]:
    """Every key that the schema knows below its root, to the name of the definition that has it."""
    return {key: name for name, part in schema.get("$defs", {}).items() for key in part.get("properties", {})}


def _missing(key: str, rule: dict[str, Any], schema: dict[str, Any]) -> str:
    part = resolved(schema, rule.get("properties", {}).get(key, {}))
    if "x-missing" in part:
        return str(part["x-missing"])
    is_telling = part.keys() & {"x-expected", "const", "enum"}
    return f"{key} is missing" + (f"; expected {expectation(part)}" if is_telling else "")


def _wrong(value: Any, path: Path, keyword: str, rule: dict[str, Any], not_built: NotBuilt) -> str:
    if isinstance(value, str) and value in _words(path, not_built):
        return f"{value} is not built yet in this version of Penstock"
    if keyword in ("minItems", "minProperties") and "x-missing" in rule:
        return str(rule["x-missing"])
    if keyword == "oneOf":
        return f"expected {expectation(rule)}"
    if keyword in ("maxItems", "maxProperties"):
        return f"holds {len(value)} entries; at most {rule[keyword]} are allowed"
    if keyword == "uniqueItems":
        return "the same value stands here twice"
    known = [str(choice) for choice in rule.get("enum", [])]
    near = nearest(value, known) if isinstance(value, str) else None
    return _expected(rule, value) + (f"; did you mean {near}?" if near else "")


def _expected(rule: dict[str, Any], value: Any) -> str:
    if rule.get("x-secret"):
        return f"expected {expectation(rule)}"  # the value may be a secret
    return f"expected {expectation(rule)}, not {describe(value)}"


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def expectation(rule: dict[str, Any]) -> str:
    """What a value should be, in words."""
    if "x-expected" in rule:
        return str(rule["x-expected"])
    if "const" in rule:
        return str(rule["const"])
    if "enum" in rule:
        return " or ".join([", ".join(map(str, rule["enum"][:-1])), str(rule["enum"][-1])]).removeprefix(" or ")
    kinds = rule.get("type", [])
    words = [_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(words) + _bounds(rule) if words else "something else"


def _bounds(rule: dict[str, Any]) -> str:
    if "minimum" in rule and "maximum" in rule:
        return f" from {rule['minimum']} to {rule['maximum']}"
    if "minimum" in rule:
        return f" from {rule['minimum']} up"
    if "maximum" in rule:
        return f" up to {rule['maximum']}"
    if rule.get("minItems") or rule.get("minLength") or rule.get("minProperties"):
        return " that is not empty"
    if "maxLength" in rule:
        return f" of at most {rule['maxLength']} characters"
    return ""


def describe(value: Any) -> str:
    """A value for a message: its kind, and the value itself when it is short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case _:
            return type(value).__name__


def _words(path: Path, not_built: NotBuilt) -> frozenset[str]:
    for pattern, words in not_built.items():
        steps = pattern.split(".") if pattern else []
        if len(steps) == len(path) and all(step in ("*", str(at)) for step, at in zip(steps, path, strict=True)):
            return words
    return frozenset()
