"""What people read and try first is right: the demo's files, and what the README and the pages of docs/ show."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from runner import config, resources, yaml
from runner.api.awsjson import models
from runner.api.identity.roles import may
from runner.cli import exits
from runner.cli.main import main, parser
from runner.model.identity import Role
from runner.render import appspec

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "demo" / "shop"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHOWN_BY_PAGE = {page.relative_to(ROOT).as_posix(): page for page in PAGES}

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    \S.*$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"demo_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCED.findall(page.read_text()) if kind == language]


def test_the_demos_manifest_and_appspec_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(SHOP)]) == exits.FINE, capsys.readouterr().out


def test_the_demos_scripts_are_there() -> None:
    spec, warnings = appspec.parse((SHOP / "appspec.yml").read_text(), "appspec.yml")

    assert not warnings
    scripts = [script.location for event in spec.hooks.values() for script in event]
    assert scripts and all((SHOP / location).is_file() for location in scripts)


def test_the_demos_configuration_is_valid_and_has_a_host_for_every_group(tmp_path: Path) -> None:
    place = loaded(ROOT / "demo" / "place.py").Place(tmp_path)
    place.prepare()

    known = config.load(place.config)
    manifest = yaml.read((SHOP / "penstock.yaml").read_text(), "penstock.yaml").data
    for name, group in manifest["deployment_groups"].items():
        wanted = group["targets"]["tags"].items()
        assert [host for host in known.hosts if wanted <= host.tags.items()], f"no host for {name}"


def test_the_demos_second_commit_fails_in_production_only(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = loaded(ROOT / "demo" / "second-commit" / "app" / "prices.py")

    monkeypatch.setenv("STAGE", "staging")
    assert prices.price_list()
    monkeypatch.setenv("STAGE", "production")
    with pytest.raises(KeyError):
        prices.price_list()


MANIFESTS = [
    pytest.param(text, id=f"{name}-{number}")
    for name, page in SHOWN_BY_PAGE.items()
    for number, text in enumerate(blocks(page, "yaml"))
    if text.startswith("penstock:")
]


def test_the_readme_shows_a_manifest() -> None:
    assert [text for text in blocks(ROOT / "README.md", "yaml") if text.startswith("penstock: v1")]


@pytest.mark.parametrize("text", MANIFESTS)
def test_every_manifest_that_is_shown_whole_is_valid(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "penstock.yaml").write_text(text)
    (tmp_path / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    (tmp_path / "ecs").mkdir()
    (tmp_path / "ecs" / "task.json").write_text('{"family": "api", "containerDefinitions": [{"name": "api"}]}')

    assert main(["validate", str(tmp_path)]) == exits.FINE, capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, page in SHOWN_BY_PAGE.items() if blocks(page, "toml")])
def test_every_configuration_that_is_shown_is_valid(name: str, tmp_path: Path) -> None:
    for text in blocks(SHOWN_BY_PAGE[name], "toml"):
        file = tmp_path / "penstock.toml"
        file.write_text(text)
        assert config.check(file) == []


def test_every_key_of_the_configuration_is_explained() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    schema = json.loads(resources.read("schemas", "config.schema.json"))
    places = [
        schema,
        *(schema["$defs"][name] for name in ("repository", "host", "notifier", "api", "agents", "instances")),
    ]
    keys = {key for place in places for key in place["properties"]}

    unexplained = {key for key in keys if not any(form in page for form in (f"`{key}`", f"[{key}]", f"[{key}."))}
    assert not unexplained


def test_every_operation_of_the_api_is_listed_with_the_least_role_that_may_call_it() -> None:
    page = (ROOT / "docs" / "wire-api.md").read_text()
    listed = dict(re.findall(r"^\| (\w+) \| ([RDA]) \|", page, re.MULTILINE))

    roles: tuple[tuple[str, Role], ...] = (("R", "reader"), ("D", "deployer"), ("A", "admin"))
    operations = models.codedeploy()["operations"]
    assert listed == {name: next(sign for sign, role in roles if may(role, name)) for name in operations}


@pytest.mark.parametrize("name", SHOWN_BY_PAGE)
def test_every_link_leads_somewhere(name: str) -> None:
    page = SHOWN_BY_PAGE[name]
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{name}: {link}"
        assert not anchor or anchor in anchors(target), f"{name}: {link}"


def anchors(page: Path) -> set[str]:
    """The anchors that headings get, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> set[str]:
    """Every `penstock VERB ...` that the page tells people to type."""
    text = page.read_text()
    lines = [line for _, block in _FENCED.findall(text) for line in block.splitlines()]
    lines += [line.strip() for line in _INDENTED.findall(text)]
    lines += _INLINE.findall(_FENCED.sub("", text))
    typed = (line.removeprefix("$ ").partition("   ")[0] for line in lines)
    return {line for line in typed if re.match(r"penstock (--\w+ \S+ )*[a-z]+", line) and "=" not in line}


@pytest.mark.parametrize("name", [name for name, page in SHOWN_BY_PAGE.items() if commands(page)])
def test_every_command_that_is_shown_exists(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [part for command in commands(SHOWN_BY_PAGE[name]) for part in re.split(r" && |; ", command)]
    for part in parts:
        program, *arguments = shlex.split(part, comments=True)
        if program == "penstock":
            assert is_understood(arguments), f"{part}: {capsys.readouterr().err}"


def is_understood(arguments: list[str]) -> bool:
    """A verb alone may be a mere mention of it; what is written out has to be complete."""
    try:
        parser().parse_args([*arguments, "--help"] if len(arguments) == 1 else arguments)
    except SystemExit as left:
        return left.code == 0
    return True


def test_the_pages_name_every_verb() -> None:
    shown = {word for page in PAGES for command in commands(page) for word in command.split()}

    help_text = parser().format_help()
    verbs = set(re.findall(r"^    ([a-z]+) ", help_text, re.MULTILINE))
    assert verbs
    assert verbs <= shown


def test_the_exit_statuses_are_explained() -> None:
    page = (ROOT / "docs" / "recovery.md").read_text()
    explained = {int(status) for status in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}

    assert explained == set(exits.MEANINGS)


def test_the_picture_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    text = (ROOT / "docs" / "demo.svg").read_text()

    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"href|url\(|@import|<script", text)
