"""One preview: the merge's manifests rendered and planned, and what differs from the base branch.

Asks the repository's mirror and the store, and nobody else: no host, no registry, not AWS. The manifests may be a
stranger's: values of the runner's environment are never used for those, and never shown for any.
"""

from collections.abc import Callable, Mapping
from functools import partial

from runner.errors import InvalidFiles, RevisionDoesNotExist, UserError, WorldError
from runner.model.manifest import Manifest
from runner.model.pull_request import Preview, PullRequest
from runner.model.status import State
from runner.plan.concerns import is_touched, watches
from runner.plan.preview_summary import gone, shortened, summary
from runner.ports.pull_requests import MergeableRepository
from runner.previews.application import Applications, Forecasts
from runner.previews.hiding import hidden
from runner.previews.merge import Merge
from runner.render import manifest
from runner.render.context import Context
from runner.render.rendered import Rendered

MOST_SHOWN = 20  # applications in full
MOST_OF_STRANGERS = 50  # manifests that a pull request from a fork may change: rendering costs time


class Maker:
    """*environment*: what the runner's configuration lets templates see."""

    def __init__(self, forecasts: Forecasts, state: Callable[[], State], environment: Mapping[str, str]) -> None:
        self._forecasts, self._state, self._environment = forecasts, state, dict(environment)
        self._rendered = Rendered()

    def preview(self, repository: MergeableRepository, wanted: PullRequest, base: str) -> Preview:
        """Of merging the pull request into *base*. Mistakes of what it brings are told in the preview.

        Raises `WorldError` when the repository cannot be asked.
        """
        said = partial(Preview, head=wanted.head, base=base, base_branch=wanted.base_branch)
        _fetch(repository, base)
        try:
            _fetch_head(repository, wanted)
            merged = repository.merged(base, wanted.head)
            if merged is None:
                text = f"has conflicts with {wanted.base_branch}: there is no merge to look at"
                return said(state="Nothing", text=shortened(text))
            return self._of_merge(Merge(repository, wanted, base, merged), said)
        except InvalidFiles as error:
            state, text = summary((), (), len(error.mistakes))
            shown = tuple(each._replace(message=hidden(each.message, self._environment)) for each in error.mistakes)
            return said(state=state, text=text, mistakes=shown)
        except UserError as error:
            why = hidden(error.message, self._environment)
            hindrance = error.hindrance if isinstance(error, _OutOfReach) else ""
            text = shortened(f"cannot be looked at: {why}")
            return said(state="Refused", text=text, notes=(why,), hindrance=hindrance)

    def _of_merge(self, merge: Merge, said: Callable[..., Preview]) -> Preview:
        files, old = merge.repository.manifests(merge.merged), merge.repository.manifests(merge.base)
        _check_bounds(files, old, merge.wanted)
        known = self._read(files, merge, None if merge.wanted.is_fork else self._environment)
        after, before = {each.file: each for each in self._read(files, merge, None)}, self._before(old, merge)
        touched = _touched(known, merge)
        applications = Applications(self._forecasts, self._environment, merge, self._state())
        shown = tuple(applications.preview(each, after.get(each.file), before) for each in touched[:MOST_SHOWN])
        more = tuple(each.application for each in touched[MOST_SHOWN:])
        state, text = summary(shown, more, 0)
        unread = sorted(files.keys() - {each.file for each in known})
        notes = tuple(f"{file} depends on values that only the runner knows; it is not looked at" for file in unread)
        left = () if unread else gone(before or (), known)
        return said(state=state, text=text, applications=shown, more=more, gone=left, notes=notes)

    def _read(self, files: Mapping[str, str], merge: Merge, environment: dict[str, str] | None) -> tuple[Manifest, ...]:
        """*environment*: None for names in place of values; manifests that have no meaning without values are left out."""
        context = Context(
            commit=merge.repository.commit(merge.merged),
            branch=merge.wanted.base_branch,
            repository=merge.repository.name,
            environment=environment,
        )
        return manifest.read(files, context, self._rendered)

    def _before(self, files: Mapping[str, str], merge: Merge) -> tuple[Manifest, ...] | None:
        """What the base branch has, rendered for the same commit; None where that is not right in itself."""
        try:
            return self._read(files, merge, None)
        except UserError:
            return None


def _fetch(repository: MergeableRepository, commit_id: str) -> None:
    """A forge may name a commit before all of its machines have it: one that is not there is waited for."""
    try:
        repository.fetch(commit_id)
    except RevisionDoesNotExist as error:
        raise WorldError(error.message) from error


class _OutOfReach(UserError):
    """A commit that we may not read, or cannot read now: git does not tell one from the other. *hindrance*: what it says."""

    def __init__(self, message: str, hindrance: str) -> None:
        super().__init__(message)
        self.hindrance = hindrance


def _fetch_head(repository: MergeableRepository, wanted: PullRequest) -> None:
    """Raises `_OutOfReach` where a fork alone has it, and that does not let us read it."""
    if wanted.fork is None:
        _fetch(repository, wanted.head)
        return
    try:
        repository.fetch_from(wanted.fork, wanted.head)
    except (UserError, WorldError) as error:
        mend = "let the login of this repository read it, or push the branch here; it is tried again"
        raise _OutOfReach(
            f"its commits are in {wanted.fork} alone, and that cannot be read from here; {mend}", error.message
        ) from error


def _touched(known: tuple[Manifest, ...], merge: Merge) -> list[Manifest]:
    """Those that the merge would deploy."""
    changed, branch = merge.repository.changed_paths(merge.base, merge.merged), merge.wanted.base_branch
    return [each for each in known if watches(each, branch=branch) and is_touched(each, changed)]


def _check_bounds(files: Mapping[str, str], before: Mapping[str, str], wanted: PullRequest) -> None:
    """Raises `UserError`."""
    changed = sum(before.get(file) != text for file, text in files.items())
    if wanted.is_fork and changed > MOST_OF_STRANGERS:
        raise UserError(f"it is from a fork and changes {changed} manifests; up to {MOST_OF_STRANGERS} are looked at")
