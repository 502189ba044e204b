"""From the bytes of a file to its text."""

from runner.errors import InvalidFiles, Mistake


def decoded(text: bytes | str, file: str) -> str:
    """*text* as it is, or as UTF-8. *file*: its name, for the message. Raises `InvalidFiles`."""
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise InvalidFiles([Mistake(file=file, line=line, path="", message="is not UTF-8 text")]) from error
