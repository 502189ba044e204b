"""Records `make demo` on a terminal in memory and draws it, in the middle of the rollout to production, as docs/demo.svg.

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
from itertools import groupby
from pathlib import Path

import pyte
from rich.color import ColorParseError
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINES = 100, 24
PATIENCE = 120  # seconds for the whole demo

# Two hosts are done, two are under way: the middle of the rollout.
WANTED = re.compile(r"shop/production .* InProgress .* 2 of 4 done, 2 in progress")

THEME = TerminalTheme(
    (27, 31, 38),
    (208, 214, 222),
    [
        (60, 66, 77),
        (235, 111, 111),
        (134, 200, 124),
        (224, 190, 115),
        (108, 172, 240),
        (196, 146, 226),
        (92, 200, 205),
        (208, 214, 222),
    ],
)


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


def record() -> tuple[int, list[Text] | None]:
    """Run the demo to its end. Returns its exit status, and the last screen that was what we want."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, str(ROOT / "demo" / "run.py")]
    demo = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    picture, deadline = None, time.monotonic() + PATIENCE
    while time.monotonic() < deadline and (piece := _read(ours)) is not None:
        stream.feed(piece)
        if any(WANTED.search(line) for line in screen.display):
            picture = [_line(screen, number) for number in range(LINES)]
    if time.monotonic() >= deadline:
        demo.terminate()
    os.close(ours)
    return demo.wait(), picture


def draw(lines: list[Text]) -> str:
    """The lines as a picture of a terminal."""
    while lines and not lines[-1].plain.strip():
        lines = lines[:-1]
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop")
    svg = console.export_svg(title="make demo", theme=THEME, unique_id="penstock-demo")
    # The fonts would be fetched from elsewhere; every system has a monospaced one of its own.
    svg = re.sub(r"\s*@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _read(descriptor: int) -> bytes | None:
    """What the demo has written, b"" when it is silent for a second, None when it has ended."""
    if not select.select([descriptor], [], [], 1)[0]:
        return b""
    try:
        return os.read(descriptor, 65536) or None
    except OSError:  # Linux says EIO once the other end is closed
        return None


def _line(screen: pyte.Screen, number: int) -> Text:
    text = Text()
    cells = [screen.buffer[number][column] for column in range(COLUMNS)]
    for style, run in groupby(cells, _style):
        text.append("".join(cell.data for cell in run), style)
    text.rstrip()
    return text


def _style(cell: pyte.screens.Char) -> Style:
    swapped = cell.reverse
    color, background = (cell.bg, cell.fg) if swapped else (cell.fg, cell.bg)
    return Style(
        color=_color(color), bgcolor=_color(background), bold=cell.bold, italic=cell.italics, underline=cell.underscore
    )


def _color(name: str) -> str | None:
    """pyte's name of a colour as rich has it."""
    if name == "default":
        return None
    name = {"brown": "yellow"}.get(name, name)
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    try:
        Style(color=name)
    except ColorParseError:
        return None
    return name


if __name__ == "__main__":
    sys.exit(main())
