"""The shipped schemas themselves, and what ships beside them."""

from pathlib import Path

import jsonschema_rs
import pytest

from runner import resources, schema, yaml

NAMES = ["manifest", "config", "pipeline", "deployment-configs", "appspec-lambda", "appspec-ecs"]
SHIPPED = {
    "server-in-place.yaml": "pipeline",
    "lambda.yaml": "pipeline",
    "ecs-blue-green.yaml": "pipeline",
    "server-blue-green.yaml": "pipeline",
    "deployment-configs.yaml": "deployment-configs",
}


def parts(part, path=""):
    """Every subschema with its path."""
    yield path, part
    for keyword in ("properties", "$defs"):
        for key, inner in part.get(keyword, {}).items():
            yield from parts(inner, f"{path}/{keyword}/{key}")
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part.get(keyword), dict):
            yield from parts(part[keyword], f"{path}/{keyword}")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_itself_valid(name):
    jsonschema_rs.meta.validate(schema.load(name))
    assert schema.load(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_schema_is_described(name):
    whole = schema.load(name)
    bare = [
        f"{path}/{key}"
        for path, part in parts(whole)
        for key, value in part.get("properties", {}).items()
        if not schema.resolved(whole, value).get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_with_keys_of_its_own_refuses_others(name):
    open_ones = [
        path
        for path, part in parts(schema.load(name))
        if "properties" in part and part.get("additionalProperties") is not False
    ]
    assert open_ones == []


@pytest.mark.parametrize(("file", "name"), SHIPPED.items())
def test_what_ships_follows_its_schema(file, name):
    document = yaml.read(resources.read("pipelines", file), file)
    assert schema.check(document.data, name) == []


def test_every_shipped_pipeline_has_a_schema():
    folder = Path(schema.__file__).parent.parent / "pipelines"
    folder = folder if folder.is_dir() else Path(schema.__file__).parent / "pipelines"
    assert {each.name for each in folder.glob("*.yaml")} == set(SHIPPED)


def test_a_wrong_pipeline_is_refused():
    [problem] = schema.check({"platform": "Server", "deployment_type": "IN_PLACE", "lifecycle_events": []}, "pipeline")
    assert problem.message == "expected a list that is not empty, not an empty list"


def test_a_servers_event_says_whose_appspec_is_read():
    wrong = {
        "platform": "Server",
        "deployment_type": "IN_PLACE",
        "lifecycle_events": [{"name": "Install", "hookable": True}],
    }
    [problem] = schema.check(wrong, "pipeline")
    assert (problem.path, problem.message) == (("lifecycle_events", 0), "bundle is missing")
    assert schema.check({**wrong, "platform": "Lambda", "deployment_type": "BLUE_GREEN"}, "pipeline") == []


def test_more_mistakes_than_anybody_reads_are_cut_short():
    problems = schema.check({f"key{number}": 1 for number in range(5_000)}, "manifest")
    assert len(problems) == schema.MOST_PROBLEMS + 1
    assert problems[-1].message == "has more mistakes than the 200 that are shown"


@pytest.mark.parametrize(
    ("word", "near"), [("minimum_helthy", "minimum_healthy"), ("Steps", "steps"), ("zebra", None), ("", None)]
)
def test_the_nearest_word_is_found(word, near):
    assert schema.nearest(word, ["minimum_healthy", "max_failed", "steps"]) == near
