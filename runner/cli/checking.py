"""Checking files for `penstock validate`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from runner import yaml
from runner.cli.finding import MANIFEST, MORE, manifests
from runner.errors import InvalidFiles, Mistake, UserError, dotted
from runner.model.manifest import GroupSettings, Manifest
from runner.model.platform import ComputePlatform
from runner.model.revision import GitRevision, S3Location
from runner.model.rollout import Rollout
from runner.model.services import ServiceSettings
from runner.plan.lifecycle import server_in_place
from runner.render import appspec, manifest, traffic_appspec
from runner.render.context import STAND_IN
from runner.render.specs import target_spec

_CONFIG = "penstock.toml"
_LONGEST = 1024 * 1024  # bytes of one file
_OF_VALUES = ("expected ", "there is no container ")  # how mistakes begin that may be those of a stand-in
_SOME_COMMIT = GitRevision(repository="", commit_id="")
_SERVICE = ServiceSettings(cluster="", name="")  # an AppSpec alone does not say which


class Checked(NamedTuple):
    """*files*: what was looked at."""

    files: list[str]
    mistakes: list[Mistake]
    warnings: list[Mistake]


def check(path: Path, named_config: Path | None = None) -> Checked:
    """Everything at or below *path*. Raises `UserError` when there is nothing to check."""
    if not path.exists():
        raise UserError(f"there is no file or folder {path}")
    if path.is_dir():
        folder, names = path, sorted(manifests(path))
        settings = [file for file in (named_config, path / _CONFIG) if file and file.is_file()]
        if not names and not settings:
            raise UserError(f"there is no {MANIFEST} below {path.resolve()}; `penstock init` writes one")
    elif path.suffix == ".toml":
        folder, names, settings = path.parent, [], [path]
    elif path.name.startswith("appspec."):
        return _only_appspec(path)
    else:
        folder = path.parent.parent if path.parent.name == MORE else path.parent
        names, settings = [path.relative_to(folder).as_posix()], []
    return _Checking(folder).run(names, settings)


def _only_appspec(path: Path) -> Checked:
    checking = _Checking(path.parent)
    platform = checking.platform_of(path.name)
    if platform == "Server":
        checking.appspec(path.name, scripts_in=path.parent)
    else:
        checking.traffic_appspec(path.name, platform)
    return checking.done()


class _Checking:
    """Collects mistakes; names files as the user would from where she is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[str] = []
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []
        self._texts: dict[str, str | None] = {}

    def run(self, names: list[str], settings: list[Path]) -> Checked:
        texts = {name: text for name in names if (text := self._read(name)) is not None}
        bundled = set[str]()  # folders that are made into bundles
        for each, text in self._understood(texts):
            if each.platform == "Server":
                self._appspec_of(each, text)
                bundled.update({each.root} if each.revision is None else ())
            else:
                self._documents_of(each, text)
        self._absent_in(bundled)
        for file in dict.fromkeys(settings):
            self.files.append(str(file))
            from runner import config

            self.mistakes += config.check(file)
        return self.done()

    def done(self) -> Checked:
        return Checked(self.files, sorted(set(self.mistakes)), sorted(set(self.warnings)))

    def traffic_appspec(self, name: str, platform: ComputePlatform) -> None:
        """Check one AppSpec file of Lambda or ECS."""
        settings = GroupSettings(name="", platform=platform, rollout=Rollout(name=""), service=_SERVICE)
        self._target_of(settings, name, name)

    def appspec(self, name: str, *, scripts_in: Path | None, balanced: bool = True) -> None:
        """Check one AppSpec file. *scripts_in*: where its scripts must be; None where nobody here can know.

        *balanced*: some deployment group has, or may have, a load balancer.
        """
        text = self._read(name)
        if text is None:
            return
        try:
            spec, warnings = appspec.parse(text, self._shown(name))
        except InvalidFiles as error:
            self.mistakes += error.mistakes
            return
        self.warnings += warnings
        for event, scripts in spec.hooks.items():
            if not balanced and event in server_in_place().traffic:
                self._never_run(name, text, event)
            for index, script in enumerate(scripts):
                if scripts_in is not None and not (scripts_in / script.location.lstrip("/")).is_file():
                    self._missing_script(name, text, (event, index), script.location)

    def _never_run(self, name: str, text: str, event: str) -> None:
        line = yaml.read_like_agent(text, name).line(("hooks", event))
        message = "runs only where a deployment group has a load_balancer, and none has"
        self.warnings.append(Mistake(file=self._shown(name), line=line, path=f"hooks.{event}", message=message))

    def _missing_script(self, name: str, text: str, where: tuple[str, int], script: str) -> None:
        event, index = where
        line = yaml.read_like_agent(text, name).line(("hooks", event, index))
        self.mistakes.append(
            Mistake(
                file=self._shown(name),
                line=line,
                path=f"hooks.{event}[{index}].location",
                message=f"there is no script {script}",
            )
        )

    def _understood(self, texts: dict[str, str]) -> Iterator[tuple[Manifest, str]]:
        """The manifests without mistakes, each with its text; the mistakes of the others are noted."""
        try:
            manifests = manifest.read(texts, STAND_IN)
        except InvalidFiles as error:
            self.mistakes += [each._replace(file=self._shown(each.file)) for each in error.mistakes]
            wrong = {each.file for each in error.mistakes}
            manifests = manifest.read({name: text for name, text in texts.items() if name not in wrong}, STAND_IN)
        for each in manifests:
            yield each, texts[each.file]

    def _appspec_of(self, each: Manifest, text: str) -> None:
        """Its AppSpec; where the revision comes from elsewhere, so may the AppSpec."""
        name = str(PurePosixPath(each.root) / each.appspec)
        in_tree = each.revision is None
        if (self.folder / name).is_file():
            balanced = any(group.load_balancer for group in each.groups)
            self.appspec(name, scripts_in=self.folder / each.root if in_tree else None, balanced=balanced)
        elif in_tree:
            line = yaml.read(text, each.file).line(("appspec",))
            message = f"there is no {self._shown(name)}; every deployment needs an AppSpec file"
            self.mistakes.append(Mistake(file=self._shown(each.file), line=line, path="appspec", message=message))

    def _absent_in(self, folders: set[str]) -> None:
        """Of submodules and files in Git LFS nothing can be deployed. *folders*: below ours; "" for all of it."""
        if not folders:
            return
        from runner.cli.absent import absent

        for path, message in absent(self.folder):
            parents = {"" if parent == "." else parent for parent in map(str, PurePosixPath(path).parents)}
            if parents & folders:
                self.warnings.append(Mistake(file=self._shown(path), line=0, path="", message=message))

    def _documents_of(self, each: Manifest, text: str) -> None:
        """What every group's function or service needs of the commit: a task definition, or the AppSpec."""
        is_elsewhere = isinstance(each.revision, S3Location)
        for settings in each.groups:
            if settings.function is not None or is_elsewhere:
                continue
            of_service = settings.service.task_definition if settings.service else None
            name = str(PurePosixPath(each.root) / (of_service or each.appspec))
            if (self.folder / name).is_file():
                self._target_of(settings, name, each.appspec, is_certain="env." not in text)
                continue
            path = ("service", "task_definition") if of_service else ("appspec",)
            line = yaml.read(text, each.file).line(path)
            message = f"there is no {self._shown(name)}; every deployment needs it"
            self.mistakes.append(Mistake(file=self._shown(each.file), line=line, path=dotted(path), message=message))

    def _target_of(self, settings: GroupSettings, name: str, appspec: str, *, is_certain: bool = True) -> None:
        """Check the file *name* by making of it what a deployment to the group would.

        *is_certain*: no value of the manifest comes from an environment that is not here.
        """
        text = self._read_once(name)
        if text is None:
            return
        try:
            target_spec(_SOME_COMMIT, settings, appspec, lambda _: (self._shown(name), text.encode()))
        except InvalidFiles as error:
            self.mistakes += [each for each in error.mistakes if is_certain or not each.message.startswith(_OF_VALUES)]

    def platform_of(self, name: str) -> ComputePlatform:
        """For which platform the AppSpec *name* is meant; Server, where nobody can say."""
        file = self.folder / name
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if file.stat().st_size <= _LONGEST:
                return traffic_appspec.platform_of(file.read_text(encoding="utf-8"), name)
        return "Server"

    def _read_once(self, name: str) -> str | None:
        """As `_read`; and again what several groups share."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> str | None:
        """None when it cannot be read; that is noted."""
        file = self.folder / name
        if str(file) in self.files:
            return None  # two manifests share it
        self.files.append(str(file))
        try:
            data = file.read_bytes()
            if len(data) > _LONGEST:
                raise ValueError(f"is {len(data)} bytes long; at most {_LONGEST} (1 MiB) are read")
            return data.decode()
        except UnicodeDecodeError:
            why = "is not UTF-8 text"
        except ValueError as error:
            why = str(error)
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
        self.mistakes.append(Mistake(file=str(file), line=0, path="", message=why))
        return None

    def _shown(self, name: str) -> str:
        return str(self.folder / name)
