"""The fences around Jinja2, so that a hostile template can neither reach out, nor loop, nor grow.

The syntax tree may hold only what `_ALLOWED` names: no call, no power, no statement, so nothing loops and time is bounded
by the length of the source. Whatever an operator or a filter makes is bounded in size. Names and attributes are items of
`Names`, never of a Python object, so nothing is reachable that was not handed in.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.filters import do_default
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from runner.render.names import Names, TemplateMistake

MAX_SOURCE = 16 * 1024
MAX_VALUE = 64 * 1024  # characters of one value inside a template
MAX_NUMBER = 10**18
MAX_DEPTH = 40

FAILURES = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a template that compiled may raise when it runs on values that do not suit it."""


def explain(failure: Exception) -> str:
    """The sentence for a person about one of `FAILURES`."""
    if isinstance(failure, TemplateError):
        return failure.message or "the template fails"
    return f"the template fails: {failure}"


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> Template:
    """The compiled template, from the cache when the same text was seen before. Raises `TemplateMistake`."""
    if len(text) > MAX_SOURCE:
        raise TemplateMistake(f"a template of {len(text):,} characters is too long; at most {MAX_SOURCE:,} are allowed")
    environment = _environment()
    try:
        tree = environment.parse(text)
        _check(tree)
        used = frozenset(node.name for node in tree.find_all(nodes.Name))
        return environment.from_string(_Rewrite().visit(tree), globals={"names_used": used})
    except TemplateMistake:
        raise
    except RecursionError as error:
        raise TemplateMistake("the template is nested too deeply") from error
    except TemplateError as error:
        raise TemplateMistake(f"not a valid template: {error.message}") from error
    except (SyntaxError, ValueError, MemoryError, OverflowError) as error:
        raise TemplateMistake(f"not a valid template: {error}") from error


_ALLOWED = (
    *(nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.List, nodes.Tuple, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat),
)
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "calls are not supported; filters are: {{ branch | lower }}",
    nodes.Pow: "** is not supported",
    nodes.Dict: "mappings are not supported",
}
_TESTS = frozenset({"defined", "undefined", "none", "true", "false", "string", "number", "integer", "boolean"})


def _check(tree: nodes.Node) -> None:
    """Walk the tree without recursion, and refuse what may not be there."""
    waiting = [(child, 1) for child in tree.iter_child_nodes()]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, _ALLOWED):
            raise TemplateMistake(_REFUSED.get(type(node), f"{type(node).__name__} is not supported"))
        if depth > MAX_DEPTH:
            raise TemplateMistake("the template is nested too deeply")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise TemplateMistake(f"there is no filter {node.name}; known here: {', '.join(sorted(FILTERS))}")
        if isinstance(node, nodes.Test) and node.name not in _TESTS:
            raise TemplateMistake(f"there is no test {node.name}; known here: {', '.join(sorted(_TESTS))}")
        if isinstance(node, nodes.CondExpr) and node.expr2 is None:
            raise TemplateMistake("an `if` in a template needs an `else`")
        waiting += [(child, depth + 1) for child in node.iter_child_nodes()]


class _Rewrite(NodeTransformer):
    """Turns every name into an item of `names`, and `~` into a filter that bounds what it makes."""

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        names = nodes.Name("names", "load", lineno=node.lineno)
        return nodes.Getitem(names, nodes.Const(node.name, lineno=node.lineno), "load", lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        parts = nodes.List([self.visit(part) for part in node.nodes], lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Attributes and items come from `Names` alone; text may be cut: `commit.id[:7]`."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%"))

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, Names):
            return obj[argument] if argument in obj else self.undefined(hint=obj.missing(str(argument)))
        if isinstance(obj, (str, list, tuple)) and isinstance(argument, int):
            return obj[argument]
        return self.undefined(hint=f"{argument!r} is not defined: there is nothing inside a value")

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return _calculate(operator, left, right)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _calculate(symbol: str, left: Any, right: Any) -> Any:
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        return _join([left, right])
    for value in (left, right):
        if isinstance(value, Undefined):
            str(value)  # raises, with its own message
        if not isinstance(value, (int, float)):
            raise TemplateMistake(f"{symbol} works on numbers only; to put texts together write {{{{ a ~ b }}}}")
        _check_number(value)
    return _check_number(_OPERATORS[symbol](left, right))


def _check_number(value: Any) -> Any:
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise TemplateMistake("a number in the template grows out of bounds")
    return value


def _check_length(length: int) -> None:
    if length > MAX_VALUE:
        raise TemplateMistake(f"a value in the template grows to {length:,} characters; {MAX_VALUE:,} are allowed")


def _show(value: Any) -> str:
    """What a value prints as. A mapping, a list and None would print as Python, which nobody wants in a manifest."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Names):
        raise TemplateMistake(f"{value.path or 'this'} is not a value; it holds {', '.join(sorted(value))}")
    if value is None or isinstance(value, (list, tuple)):
        raise TemplateMistake(f"the template makes {'nothing' if value is None else 'a list'} where text is needed")
    return str(value)


def _text(value: Any) -> str:
    text = _show(value)
    _check_length(len(text))
    return text


def _join(parts: list[Any]) -> str:
    texts = [_text(part) for part in parts]
    _check_length(sum(map(len, texts)))
    return "".join(texts)


def _replace(value: Any, old: str, new: str) -> str:
    text = _text(value)
    _check_length(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _truncate(value: Any, length: int) -> str:
    return _text(value)[: max(length, 0)]


def _int(value: Any) -> int:
    return int(_check_number(float(value) if isinstance(value, str) else value))


def _round(value: Any, precision: int = 0) -> float | int:
    rounded = round(float(_check_number(value)), min(max(precision, 0), 15))
    return rounded if precision > 0 else int(rounded)


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(_check_number(value)),
    "capitalize": lambda value: _text(value).capitalize(),
    "d": do_default,
    "default": do_default,
    "int": _int,
    "join": _join,
    "length": lambda value: len(_text(value)),
    "lower": lambda value: _text(value).lower(),
    "replace": _replace,
    "round": _round,
    "string": _text,
    "title": lambda value: _text(value).title(),
    "trim": lambda value: _text(value).strip(),
    "truncate": _truncate,
    "upper": lambda value: _text(value).upper(),
}


@functools.cache
def _environment() -> _Sandbox:
    # Comments and statements begin with a character that YAML cannot hold, so `{#` in a scalar stays plain text.
    environment = _Sandbox(
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=StrictUndefined,
        finalize=_show,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    environment.filters = dict(FILTERS)
    return environment
