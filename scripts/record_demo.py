"""Records `make demo` on a terminal in memory and draws it, in the middle of a rollout to production, as docs/demo.svg.

    python scripts/record_demo.py [FILE]

The demo runs for real, under a pseudo-terminal; nothing in the picture is made up. It needs the development dependencies.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINES = 112, 28
PATIENCE = 120  # seconds for the whole demo
QUIET = 0.03  # seconds without output: then the screen is not just being redrawn

# Two hosts are done and two under way, last seen while production is rolled back: the whole story is on the screen.
WANTED = re.compile(r"shop/production .* InProgress .* 2 of 4 done, 2 in progress")

# Sizes in pixels.
CELL, LINE, FONT, MARGIN, TITLE = 8.4, 19, 14, 14, 34

COLORS = {
    "default": "#d0d6de",
    "black": "#5b6473",
    "red": "#f07878",
    "green": "#8fce84",
    "brown": "#e3c078",  # as terminals call dark yellow
    "blue": "#74b4f4",
    "magenta": "#c99be6",
    "cyan": "#62cdd2",
    "white": "#d0d6de",
}
PAPER, FRAME, TITLE_INK = "#1b1f26", "#3a414d", "#8b94a3"
FAMILY = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Word(NamedTuple):
    """Characters in one row, without a space between them, that look alike."""

    row: int
    column: int
    text: str
    color: str
    bold: bool


def main() -> int:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "demo.svg"
    status, picture = record()
    if status:
        print(f"the demo ended with status {status}; no picture was drawn", file=sys.stderr)
        return 1
    if picture is None:
        print("the middle of the rollout was never on the screen; try again on a less busy machine", file=sys.stderr)
        return 1
    target.write_text(draw(picture))
    print(f"wrote {target}")
    return 0


def record() -> tuple[int, list[Word] | None]:
    """Run the demo to its end. Returns its exit status, and the last screen that was what we want."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    demo = subprocess.Popen(
        [sys.executable, str(ROOT / "demo" / "run.py")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | {"TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    picture, deadline = None, time.monotonic() + PATIENCE
    while time.monotonic() < deadline and (piece := _read(ours)) is not None:
        stream.feed(piece)
        if not piece and sum(bool(WANTED.search(line)) for line in screen.display) == 1:
            picture = list(_words(screen))
    if time.monotonic() >= deadline:
        demo.terminate()
    os.close(ours)
    return demo.wait(), picture


def draw(words: list[Word]) -> str:
    """The words as a picture of a terminal. Each stands at its place, so that every font keeps the columns."""
    rows = max(word.row for word in words) + 1
    width, height = 2 * MARGIN + COLUMNS * CELL, TITLE + rows * LINE + MARGIN
    lights = [f'<circle cx="{MARGIN + 6 + 20 * n}" cy="18" r="6" fill="{FRAME}"/>' for n in range(3)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
            "<title>A terminal: production is rolled back, two hosts at a time</title>",
            f"<style>text {{ font-family: {FAMILY}; font-size: {FONT}px }}</style>",
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{PAPER}"/>',
            *lights,
            f'<text x="{width / 2:g}" y="23" fill="{TITLE_INK}" text-anchor="middle">make demo</text>',
            *map(_drawn, words),
            "</svg>",
            "",
        ]
    )


def _read(descriptor: int) -> bytes | None:
    """What the demo has written, b"" when it is quiet, None when it has ended."""
    if not select.select([descriptor], [], [], QUIET)[0]:
        return b""
    try:
        return os.read(descriptor, 65536) or None
    except OSError:  # Linux says EIO once the other end is closed
        return None


def _words(screen: pyte.Screen) -> Iterator[Word]:
    for row in range(LINES):
        cells = [(column, screen.buffer[row][column]) for column in range(COLUMNS)]
        for (blank, color, bold), run in groupby(cells, lambda c: (c[1].data == " ", c[1].fg, c[1].bold)):
            some = list(run)
            if not blank:
                yield Word(row, some[0][0], "".join(cell.data for _, cell in some), color, bold)


def _drawn(word: Word) -> str:
    color = COLORS.get(word.color, f"#{word.color}" if re.fullmatch("[0-9a-f]{6}", word.color) else COLORS["default"])
    x, y = MARGIN + word.column * CELL, TITLE + word.row * LINE + FONT
    weight = ' font-weight="bold"' if word.bold else ""
    size = f'textLength="{len(word.text) * CELL:g}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:g}" y="{y:g}" {size} fill="{color}"{weight}>{escape(word.text)}</text>'


if __name__ == "__main__":
    sys.exit(main())
