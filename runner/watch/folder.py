"""File system events of one git directory, reduced to one question: may its refs have moved? Reads no refs."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from runner.errors import WorldError
from runner.log import get_logger
from runner.watch.git_directory import git_directory

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

    NewObserver: TypeAlias = Callable[[], BaseObserver]

_LIMITS = (
    errno.ENOSPC,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSYS,
)  # what inotify says when it has no more
_LOOK_EVERY = 1.0  # seconds, without inotify
_TELLING = {"HEAD", "packed-refs"}


def inotify() -> "BaseObserver":
    """Events from the kernel."""
    import warnings

    from watchdog.observers import Observer

    # watchdog finds nested folders that are made in one go (refs/heads/fix/deep) twice and warns, though it is harmless:
    # https://github.com/gorakhargosh/watchdog/pull/1278. Where warnings are errors it would stop hearing anything.
    warnings.filterwarnings("ignore", "Callback with id .* already exists for watch", RuntimeWarning)
    return Observer()


def looking() -> "BaseObserver":
    """Events from comparing the folder with what it was a second ago."""
    from watchdog.observers.polling import PollingObserver

    return PollingObserver(timeout=_LOOK_EVERY)


class Folder:
    """The events of the repository at *url*; *moved* is called, from some thread, when its refs may have moved."""

    def __init__(self, name: str, url: str, moved: Callable[[], None], new_observer: "NewObserver") -> None:
        self._url = url
        self._moved = moved
        self._new_observer = new_observer
        self._log = get_logger(repository=name)
        self._observer: BaseObserver | None = None
        self._identity: object = None

    def attach(self) -> None:
        """Receive events from now on. Does nothing when already so; attaches anew when the folder was replaced.

        Raises `WorldError` when there is no repository (now), `UserError` when there never can be.
        """
        directory = git_directory(self._url)
        try:
            identity = (str(directory), _inode(directory), _inode(directory / "refs"))
            if identity == self._identity:
                return
            self.detach()
            self._observer = self._started(directory)
        except OSError as error:
            raise WorldError(f"cannot watch {directory}: {error}") from error
        self._identity = identity

    def detach(self) -> None:
        """Receive no more events. May be repeated. Does not wait for the observer's thread to end."""
        observer, self._observer, self._identity = self._observer, None, None
        if observer is not None:
            observer.stop()

    def _started(self, directory: Path) -> "BaseObserver":
        try:
            return self._start(self._new_observer(), directory)
        except OSError as error:
            if error.errno not in _LIMITS:
                raise
            self._new_observer = looking
            self._log.warning(
                "file system events are not to be had; looking every second instead",
                error=str(error),
                advice="raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
            )
            return self._start(looking(), directory)

    def _start(self, observer: "BaseObserver", directory: Path) -> "BaseObserver":
        from watchdog import events

        # Opening and reading are events, too, and are left out: looking at the refs must not be a reason to look.
        kinds: list[type[FileSystemEvent]] = [
            getattr(events, f"{what}{how}Event")
            for what in ("File", "Dir")
            for how in ("Created", "Deleted", "Moved", "Modified")
        ]
        moved = self._moved

        class Handler(events.FileSystemEventHandler):
            def dispatch(self, event: "FileSystemEvent") -> None:
                if may_move_refs(event, directory):
                    moved()

        handler = Handler()
        try:
            observer.schedule(handler, str(directory), event_filter=kinds)
            observer.schedule(handler, str(directory / "refs"), recursive=True, event_filter=kinds)
            observer.start()
        except BaseException:
            observer.unschedule_all()
            raise
        return observer


def may_move_refs(event: "FileSystemEvent", directory: Path) -> bool:
    """Whether the refs of the git directory *directory* may be others after *event*."""
    if event.is_directory and event.event_type == "modified":
        return False  # says only that something inside has changed, and that has an event of its own
    return any(_holds_refs(Path(str(path)), directory) for path in (event.src_path, event.dest_path) if path)


def _holds_refs(path: Path, directory: Path) -> bool:
    if path.suffix == ".lock":
        return False  # git writes a lock file first and renames it when all is well
    if path == directory or directory / "refs" in (path, *path.parents):
        return True
    return path.parent == directory and path.name in _TELLING


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
