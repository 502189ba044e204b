"""What a commit names and does not hold, so that nobody can deploy it: submodules, and files kept in Git LFS. Pure.

Sources: gitsubmodules(7); the Git LFS specification, "The Pointer".
"""

LONGEST_POINTER = 1024  # bytes; a pointer is shorter
_POINTER = b"version https://git-lfs.github.com/spec/"
_INSTEAD = "or have a build make the bundle and name it as the revision (s3)"


def is_pointer(content: bytes) -> bool:
    """Whether a file of the commit with this content stands for one in Git LFS. What .gitattributes say does not matter."""
    return len(content) < LONGEST_POINTER and content.startswith(_POINTER)


def of_submodule(path: str) -> str:
    return (
        f"{path} is a submodule; its files are not part of the commit and cannot be deployed: add the files themselves "
        f"to the repository, {_INSTEAD}"
    )


def of_pointer(path: str) -> str:
    return (
        f"{path} is kept in Git LFS; the commit holds only a pointer, which is useless on a host: keep the file in git "
        f"itself, {_INSTEAD}"
    )
