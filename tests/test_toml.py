"""Where keys stand in TOML."""

import tomllib

import pytest

from runner.toml import Lines, syntax_mistake

TEXT = '''\
# [not.a.table]
listen = "127.0.0.1:8300"
"quoted key" = 1
text = """
[neither.a.table]
nor = "a key"
"""

[repositories.shop]
url = "x"
  [repositories."a.b"]  # with a comment
  url = "y"
[hosts.web]
tags.app = "web"
tags.list = [
  "x",
]
environment = {A = "1"}
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("listen",), 2),
        (("quoted key",), 3),
        (("text",), 4),
        (("nor",), 0),
        (("neither", "a"), 0),
        (("repositories",), 9),
        (("repositories", "shop", "url"), 10),
        (("repositories", "a.b"), 11),
        (("repositories", "a.b", "url"), 12),
        (("hosts", "web", "tags"), 14),
        (("hosts", "web", "tags", "app"), 14),
        (("hosts", "web", "tags", "list", 0), 15),
        (("hosts", "web", "environment", "A"), 18),
        (("hosts", "web", "folder"), 13),
        ((), 0),
    ],
)
def test_a_key_is_found_or_the_key_around_it(path, line):
    tomllib.loads(TEXT)
    assert Lines(TEXT).line(path) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = \n", "f:2: not valid TOML: "),
        ("a = 1\na = 2\n", "f:2: not valid TOML: "),
        ('a = 1\nb = """\n', "f:2: not valid TOML: "),
    ],
)
def test_a_syntax_error_knows_its_line(text, expected):
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert str(syntax_mistake("f", text, caught.value)).startswith(expected)
