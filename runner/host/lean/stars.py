"""Patterns in which only `*` is special. `re` could do it, but every start of the executor would pay for importing it."""


def fits(text: str, pattern: str) -> bool:
    """Whether the whole of *text* is *pattern*, each `*` of which stands for any characters or none."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
