"""Tables and coloured words on standard output; without colours, and as wide as it takes, where that is no terminal."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from runner.cli.words import printable

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "Succeeded": "green",
    "Failed": "bold red",
    "InProgress": "cyan",
    "Queued": "cyan",
    "Ready": "magenta",
    "Stopped": "yellow",
    "Skipped": "yellow",
    "Pending": "dim",
    "Created": "dim",
}
"""How CodeDeploy's statuses look."""

_WIDE = 1000  # columns: whoever reads a pipe wants whole lines


def console() -> "Console":
    """Standard output."""
    from rich.console import Console

    # rich takes the width of a dumb terminal for 80 columns unless the height is given too
    width, height = (None, None) if sys.stdout.isatty() else (_WIDE, 25)
    return Console(
        file=sys.stdout, width=width, height=height, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def status(word: str) -> Text:
    """A status in its colour."""
    return Text(word, style=STYLES.get(word, ""))


def table(out: "Console", head: Sequence[str], rows: Sequence[Sequence[str | Text]], *, indent: int = 0) -> None:
    """Print aligned columns; text from elsewhere cannot steer the terminal."""
    from rich.padding import Padding
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(head))
    for name in head:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    with out.capture() as capture:
        out.print(Padding(grid, (0, 0, 0, indent), expand=False), soft_wrap=False)
    for text in capture.get().splitlines():
        print(text.rstrip(), file=out.file)


def line(out: "Console", *parts: str | Text) -> None:
    """Print one line, its parts side by side."""
    out.print(Text.assemble(*(part if isinstance(part, Text) else printable(part) for part in parts)))
