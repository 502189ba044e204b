"""One git repository: what its refs are now, and what is in its commits."""

import datetime as dt
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pygit2
from msgspec.structs import replace

from runner.config import RepositoryConfig
from runner.config.forges import beside
from runner.errors import InvalidRevision, RevisionDoesNotExist, UserError, WorldError
from runner.model.revision import Commit, check_commit_id
from runner.sources.git import trees
from runner.sources.git.export import Sink, absent, write_tar
from runner.sources.git.merging import merge
from runner.sources.git.mirror import KEPT, Mirror, looks_like_damage
from runner.sources.git.remote import Remote
from runner.sources.git.tokens import Login
from runner.sources.signatures import commit as commits

T = TypeVar("T")

LONGEST_MANIFEST = 1024 * 1024  # bytes
MOST_ABSENT = 20  # messages
_MANIFEST = re.compile(r"(?:.*/)?penstock\.yaml|\.penstock/[^/]+\.yaml", re.DOTALL)
_NOT_THERE = re.compile("not our ref|unadvertised object|unexpected packet type")
"""What libgit2 says when a server does not give a commit. The last is its word for any refusal where it asks for a depth."""
_DAMAGE = (pygit2.GitError, KeyError)


class GitRepository:
    """The port `Repository` on a bare mirror at *mirror*. *login*: where a token is to be had for it.

    *shallow*: commits are fetched without their history, which nobody asks for, from a server that gives them by their ID.
    """

    def __init__(
        self, config: RepositoryConfig, mirror: Path, login: Login | None = None, *, shallow: bool = False
    ) -> None:
        self._config = config
        self._mirror = Mirror(mirror)
        self._remote = Remote(config, login)
        self._shallow = shallow

    @property
    def name(self) -> str:
        return self._config.name

    def heads(self) -> dict[str, str]:
        """Branches and tags of the remote, in one round trip; nothing is downloaded."""
        return dict(self._remote.heads(self._remote.connect(self._mirror.open())))

    def fetch(self, commit_id: str) -> None:
        """Bring *commit_id* into the mirror, by the ref that names it, by its ID, or with everything that the remote has."""
        check_commit_id(commit_id)
        if self._holds(commit_id):
            return
        with self._mirror.writing():
            if self._holds(commit_id):
                return
            self._bring_or_start_over(commit_id)
            if not self._holds(commit_id):
                raise self._missing(commit_id)

    def fetch_from(self, fork: str, commit_id: str) -> None:
        """As `MergeableRepository.fetch_from`. A ref of *fork* must name the commit."""
        if self._holds(check_commit_id(commit_id)):
            return
        there = Remote(replace(self._config, url=beside(self._config.url, fork)))
        with self._mirror.writing():
            remote = there.connect(self._mirror.open())
            named = [f"+{ref}:{KEPT}{commit_id}" for ref, at in there.heads(remote) if at == commit_id][:1]
            if not named:
                raise self._missing(commit_id)
            try:
                there.fetch(remote, named)
            except _DAMAGE as error:
                raise there.error(error) from error

    def commit(self, commit_id: str) -> Commit:
        return self._read(commit_id, lambda _, commit: _described(commit))

    def signed(self, commit_id: str) -> commits.SignedCommit:
        """The commit's signature and what was signed."""
        return self._read(commit_id, lambda _, commit: commits.parse(commit_id, commit.read_raw()))

    def manifests(self, commit_id: str) -> dict[str, str]:
        return self._read(commit_id, _manifests)

    def read(self, commit_id: str, path: str) -> bytes | None:
        def look(repository: pygit2.Repository, commit: pygit2.Commit) -> bytes | None:
            node = trees.find(repository, commit.tree, path)
            return repository[node.id].peel(pygit2.Blob).data if node and node.is_file else None

        return self._read(commit_id, look)

    def changed_paths(self, before: str, after: str) -> frozenset[str] | None:
        if not self._holds(check_commit_id(before)):
            return None

        def look(repository: pygit2.Repository, commit: pygit2.Commit) -> frozenset[str]:
            diff = repository[before].peel(pygit2.Tree).diff_to_tree(commit.tree)
            return frozenset(
                side.raw_path.decode(errors="surrogateescape")
                for delta in diff.deltas
                for side in (delta.old_file, delta.new_file)
            )

        return self._read(after, look)

    def is_ancestor(self, before: str, after: str) -> bool:
        if not self._holds(check_commit_id(before)):
            return False
        return self._read(after, lambda repository, _: before == after or repository.descendant_of(after, before))

    def merged(self, base: str, head: str) -> str | None:
        """What merging *head* into *base* would be, as a commit of the mirror that no ref names. None: they conflict."""
        for each in (base, head):
            self._commit(each)
        if self.is_ancestor(base, head):
            return head
        try:
            with self._mirror.writing():
                return merge(self._mirror.open(), base, head)
        except _DAMAGE as error:
            self._start_over_if_damaged()
            raise self._damaged(error) from error

    def tree_key(self, commit_id: str, root: str) -> str:
        """What `export` depends on, and nothing else: the same key, the same bytes."""
        return self._read(
            commit_id, lambda repository, commit: f"{_rooted(repository, commit, root).id}@{commit.commit_time}"
        )

    def absent(self, commit_id: str, root: str) -> tuple[str, ...]:
        """What `export` would refuse: submodules and files in Git LFS, as messages, the first `MOST_ABSENT` of them."""
        return self._read(
            commit_id,
            lambda repository, commit: tuple(
                islice(absent(repository, _rooted(repository, commit, root), root), MOST_ABSENT)
            ),
        )

    def export(self, commit_id: str, root: str, out: Sink) -> None:
        """Write the commit's tree from *root* down to *out*, as a tar. Raises `InvalidRevision` naming what cannot go."""
        try:
            repository, commit = self._mirror.open(), self._commit(commit_id)
            write_tar(repository, _rooted(repository, commit, root), commit.commit_time, out, root)
        except _DAMAGE as error:
            self._start_over_if_damaged()
            raise self._damaged(error) from error

    def _holds(self, commit_id: str) -> bool:
        try:
            return len(commit_id) == 40 and isinstance(self._mirror.open().get(commit_id), pygit2.Commit)
        except _DAMAGE:
            return False

    def _commit(self, commit_id: str) -> pygit2.Commit:
        check_commit_id(commit_id)
        found: object = self._mirror.open().get(commit_id) if len(commit_id) == 40 else None
        if not isinstance(found, pygit2.Commit):
            raise self._missing(commit_id)
        return found

    def _read(self, commit_id: str, look: Callable[[pygit2.Repository, pygit2.Commit], T]) -> T:
        """What *look* makes of the commit. A damaged mirror is mended on the way, once."""
        for mend in (self._mirror.forget, lambda: self._mend(commit_id)):
            try:
                return look(self._mirror.open(), self._commit(commit_id))
            except _DAMAGE:
                mend()
        try:
            return look(self._mirror.open(), self._commit(commit_id))
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _mend(self, commit_id: str) -> None:
        self._start_over_if_damaged()
        self.fetch(commit_id)

    def _start_over_if_damaged(self) -> bool:
        with self._mirror.writing():
            if self._mirror.is_sound():
                return False
            self._mirror.discard()
            return True

    def _missing(self, commit_id: str) -> RevisionDoesNotExist:
        return RevisionDoesNotExist(
            f"repository {self.name} at {self._remote.shown_url} has no commit {commit_id}; was it pushed, or since dropped "
            "by a force-push?"
        )

    def _damaged(self, error: Exception) -> WorldError:
        return WorldError(f"the mirror of repository {self.name} is damaged ({error}); it is made anew at the next try")

    def _bring_or_start_over(self, commit_id: str) -> None:
        try:
            self._bring(commit_id)
            return
        except _DAMAGE as error:
            if not looks_like_damage(error) or self._mirror.is_sound():
                raise self._remote.error(error) from error
        # the error is gone, and the handles that it held: libgit2 would take an old pack for a new one of the same name
        self._mirror.discard()
        self._bring_from_scratch(commit_id)

    def _bring_from_scratch(self, commit_id: str) -> None:
        try:
            self._bring(commit_id)
        except _DAMAGE as error:
            raise self._remote.error(error) from error

    def _bring(self, commit_id: str) -> None:
        """Raises `WorldError` while it connects, and what pygit2 raises from then on."""
        repository = self._mirror.open()
        remote = self._remote.connect(repository)
        if self._shallow:
            self._bring_alone(remote, commit_id)
            return
        refs = self._remote.refs(remote)
        named = [f"+{ref}:{KEPT}{commit_id}" for ref, at in refs if at == commit_id][:1]
        try:
            self._remote.fetch(remote, named or [f"+{commit_id}:{KEPT}{commit_id}"])
        except _DAMAGE:
            if named:
                raise
        if not self._holds(commit_id):
            # the server gives no commit by its ID alone: take everything that it has, maybe a ref builds on it
            remote = self._remote.connect(repository)
            self._remote.fetch(remote, [f"+{ref}:{KEPT}{at}" for ref, at in self._remote.heads(remote)])
        if self._holds(commit_id):
            self._mirror.drop_superseded(commit_id)  # walks its history: finds out when part of that was lost
            self._mirror.compact()

    def _bring_alone(self, remote: pygit2.Remote, commit_id: str) -> None:
        try:
            self._remote.fetch(remote, [f"+{commit_id}:{KEPT}{commit_id}"], depth=1)
        except pygit2.GitError as error:
            if not _NOT_THERE.search(str(error)):
                raise
        if self._holds(commit_id):
            self._mirror.compact()


def _described(commit: pygit2.Commit) -> Commit:
    """Anybody can write anything into a commit, an unknown encoding or the year 3170843 too."""
    try:
        offset = dt.timezone(dt.timedelta(minutes=commit.commit_time_offset))
        time = dt.datetime.fromtimestamp(commit.commit_time, offset).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRevision(f"commit {commit.id} has an impossible time: {error}") from error
    name, email = (_decoded(raw, "utf-8") for raw in (commit.author.raw_name, commit.author.raw_email))
    message = _decoded(commit.raw_message, commit.message_encoding or "utf-8")
    return Commit(id=str(commit.id), author=f"{name} <{email}>", message=message, time=time)


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, errors="replace")
    except (LookupError, UnicodeError):
        return raw.decode(errors="replace")


def _manifests(repository: pygit2.Repository, commit: pygit2.Commit) -> dict[str, str]:
    found = (node for node in trees.walk(repository, commit.tree) if node.is_file and _MANIFEST.fullmatch(node.path))
    return {_shown(node): _text(repository, node) for node in found}


def _shown(node: trees.Node) -> str:
    try:
        node.path.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the path of the manifest {node.path!r} is not UTF-8; rename its folder") from error
    return node.path


def _text(repository: pygit2.Repository, node: trees.Node) -> str:
    blob = repository[node.id].peel(pygit2.Blob)
    if blob.size > LONGEST_MANIFEST:
        raise UserError(f"{node.path} is {blob.size} bytes long; a manifest may have {LONGEST_MANIFEST} (1 MiB)")
    try:
        return blob.data.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{node.path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error


def _rooted(repository: pygit2.Repository, commit: pygit2.Commit, root: str) -> pygit2.Tree:
    tree = trees.below(repository, commit.tree, root)
    if tree is None:
        raise InvalidRevision(f"commit {str(commit.id)[:10]} has no folder {root}")
    return tree
