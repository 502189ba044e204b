"""What stands for a file in Git LFS, and what only looks like it."""

import pytest

from runner.plan.absent import LONGEST_POINTER, is_pointer

FIRST = b"version https://git-lfs.github.com/spec/v1\n"
POINTER = FIRST + b"oid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def test_a_pointer_is_one() -> None:
    assert is_pointer(POINTER)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# " + POINTER,
        b"version https://example.com/spec/v1\n",
        POINTER + b"x" * (LONGEST_POINTER - len(POINTER)),
        b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
    ],
)
def test_other_files_are_none(content: bytes) -> None:
    assert not is_pointer(content)
