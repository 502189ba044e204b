import pytest

from runner.errors import UserError
from runner.model.size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("1KiB", 1024), ("500MiB", 500 << 20), ("2GiB", 2 << 30), ("1.5GiB", 3 << 29), ("0MiB", 0)]
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "5", "5 GiB", "5GB", "-1GiB", "GiB", "٣GiB"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UserError, match="write it as 500MiB, 2GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (300 << 20, "300 MiB"), (5 << 40, "5.0 TiB")]
)
def test_a_size_is_shown_rounded(size: int, shown: str) -> None:
    assert format_size(size) == shown
