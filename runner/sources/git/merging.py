"""A merge before anybody has made it: its tree, without a work tree."""

import pygit2

_COMMITTER = "Penstock", "penstock@localhost"


def merge(repository: pygit2.Repository, base: str, head: str) -> str | None:
    """The ID of a commit whose tree is *head* merged into *base*; None where they conflict. Raises what pygit2 raises.

    It has the author, message and time of *head*, so that it is the same commit whenever it is asked for.
    """
    index = repository.merge_commits(base, head)
    if index.conflicts is not None:
        return None
    newest = repository[head].peel(pygit2.Commit)
    committer = pygit2.Signature(*_COMMITTER, newest.commit_time, newest.commit_time_offset)
    tree = index.write_tree(repository)
    parents = [pygit2.Oid(hex=base), pygit2.Oid(hex=head)]
    return str(repository.create_commit(None, newest.author, committer, newest.message, tree, parents))
