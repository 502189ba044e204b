"""Jinja2 inside one scalar: what goes in, what comes out. The fences stand in `sandbox`.

jinja2 is imported when the first template is met: a manifest without any does not pay for it.
"""

from typing import Any

from runner.render.names import Names, TemplateMistake

MAX_TEXT = 64 * 1024


def is_template(text: str) -> bool:
    """Whether *text* has to be rendered, or refused by `render`."""
    return "{{" in text or "{%" in text


def render(text: str, names: Names) -> str:
    """The text of a scalar with every `{{ expression }}` replaced. What comes out is text, never structure.

    Raises `TemplateMistake`, in a few milliseconds whatever *text* is.
    """
    template = _compiled(text)
    from runner.render.sandbox import FAILURES, explain

    try:
        rendered = str(template.render({"names": names}))
    except TemplateMistake:
        raise
    except FAILURES as failure:
        raise TemplateMistake(explain(failure)) from failure
    if len(rendered) > MAX_TEXT:
        raise TemplateMistake(f"the template makes {len(rendered):,} characters; at most {MAX_TEXT:,} are allowed")
    return rendered


def names_used(text: str) -> frozenset[str]:
    """The top-level names that a template mentions, such as `commit` and `vars`. Raises `TemplateMistake`."""
    used: frozenset[str] = _compiled(text).globals["names_used"]
    return used


def is_valid(text: str) -> bool:
    """Whether *text* can be rendered at all, given the right names."""
    try:
        _compiled(text)
    except TemplateMistake:
        return False
    return True


def _compiled(text: str) -> Any:
    if "{%" in text:
        raise TemplateMistake("statements ({% ... %}) are not supported, only expressions ({{ ... }})")
    from runner.render.sandbox import compiled

    return compiled(text)
