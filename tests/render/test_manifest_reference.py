"""The reference page of the manifest says what the schema says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from runner import schema
from runner.render.manifest import check

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("manifest_reference", ROOT / "scripts" / "manifest_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_is_the_generated_one(reference):
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run python scripts/manifest_reference.py"


def test_the_page_names_every_key(reference):
    page = reference.page()
    whole = schema.load("manifest")
    for part in (whole, *whole["$defs"].values()):
        for key in part.get("properties", {}):
            assert f"| `{key}`" in page


def test_the_examples_of_the_page_are_right(reference):
    examples = re.findall(r"```yaml\n(.*?)```", reference.page(), re.DOTALL)
    assert len(examples) == 3
    for number, example in enumerate(examples):
        assert check({f"{number}/penstock.yaml": example}) == []
