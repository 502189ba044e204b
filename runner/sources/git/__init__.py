"""Git repositories through libgit2: mirrors, commits, trees as bundles. The only room that imports pygit2.

It runs no git program and makes no work tree. It does not decide what to watch or what to deploy.
"""

from runner.sources.git.repository import GitRepository

__all__ = ["GitRepository"]
