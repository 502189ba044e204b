"""What we send to GitHub, and what our stub answers, against GitHub's own description of its API, which comes from npm."""

import json
import re
from pathlib import Path
from typing import Any

import github_description
import jsonschema_rs
import msgspec
import pytest
from forge_cases import COMMIT, OTHER, config, message, new_app, now
from forge_stub import Exchange, Forge

from runner.errors import Mistake, WorldError
from runner.forges import Forges
from runner.forges.markdown import GitHubMarkup
from runner.forges.preview_text import PLAN
from runner.forges.rollout_text import ROLLOUT
from runner.model.deployment import DeploymentStatus
from runner.model.pull_request import Preview, RolloutNews, RolloutReport, RolloutRow


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return github_description.fetch(tmp_path_factory.mktemp("openapi"))


class Description:
    """The operations of an OpenAPI 3.0 description, as validators."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.paths, self.components = described["paths"], described["components"]

    def mistakes(self, exchange: Exchange) -> list[str]:
        operation = self._operation(exchange)
        wanted = operation.get("requestBody")
        found = (
            []
            if wanted is None
            else self._check(wanted["content"]["application/json"]["schema"], exchange.body, "sent")
        )
        answers = operation["responses"]
        assert str(exchange.status) in answers, f"{exchange.status} is no answer to {exchange.path}"
        answer = self._resolved(answers[str(exchange.status)])
        if "content" in answer:
            schema = next(iter(answer["content"].values()))["schema"]
            found += self._check(schema, exchange.answer, f"answered {exchange.status}")
        return [f"{exchange.method} {exchange.path}: {each}" for each in found]

    def _operation(self, exchange: Exchange) -> dict[str, Any]:
        for template, operations in self.paths.items():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, exchange.path) and exchange.method.lower() in operations:
                operation: dict[str, Any] = operations[exchange.method.lower()]
                return operation
        raise AssertionError(f"GitHub has no {exchange.method} {exchange.path}")

    def _check(self, schema: Any, content: Any, what: str) -> list[str]:
        whole = {**_json_schema(schema), "components": self._reached(schema)}
        return [
            f"{what}: {each.message} at {each.instance_path}"
            for each in jsonschema_rs.validator_for(whole).iter_errors(content)
        ]

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found: dict[str, Any] = self.components
        for name in node["$ref"].split("/")[2:]:
            found = found[name]
        return found

    def _reached(self, schema: Any) -> dict[str, Any]:
        """The components that *schema* needs."""
        needed: dict[str, Any] = {}
        waiting = [schema]
        while waiting:
            for name in set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(waiting.pop()))) - needed.keys():
                needed[name] = _json_schema(self.components["schemas"][name])
                waiting.append(needed[name])
        return {"schemas": needed}


def _json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema says that null is one of the types."""
    if isinstance(node, list):
        return [_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _json_schema(value) for key, value in node.items() if key not in ("nullable", "example", "examples")}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


def test_what_is_sent_and_answered_is_as_github_describes_it(
    forge: Forge, described: dict[str, Any], tmp_path: Path
) -> None:
    with_token = Forges(config(forge), now)
    for state in ("Running", "Waiting", "Succeeded", "Failed", "Stopped"):
        with_token.send(message(state=state))
        with_token.send(message(kind="deployment", state=state))
    with pytest.raises(WorldError):
        with_token.send(message(kind="deployment", commit_id="c" * 40))
    Forges(config(forge, app=new_app(forge, tmp_path, "acme/shop")), now).send(message())
    description = Description(described)
    assert {each.status for each in forge.exchanges} == {200, 201, 422}
    assert [each for exchange in forge.exchanges for each in description.mistakes(exchange)] == []


def test_pull_requests_are_listed_and_told_as_github_describes_it(
    forge: Forge, described: dict[str, Any], tmp_path: Path
) -> None:
    preview = Preview(
        state="Refused",
        text="manifests have 1 mistake: nothing would be deployed",
        head=COMMIT,
        base=OTHER,
        base_branch="main",
        mistakes=(Mistake("penstock.yaml", 4, "platform", "is missing"),),
    )
    talk = forge.github.conversations
    talk.open("acme/shop", 7, COMMIT)
    talk.open("acme/shop", 8, COMMIT, fork="stranger/shop")
    for app in (None, new_app(forge, tmp_path, "acme/shop")):
        talk.say(7, f"{GitHubMarkup().marker(PLAN)} from somebody else")
        forges = Forges(config(forge, app=app, pull_requests=True), now)
        own, foreign = forges.open("shop")
        assert (own.number, own.is_fork, foreign.number, foreign.is_fork) == (7, False, 8, True)
        forges.tell(own, preview)
        forges.tell(own, msgspec.structs.replace(preview, text="changed", notes=("a note",)))
        forges.tell(own, msgspec.structs.replace(preview, text="changed", notes=("a note",)))
    assert len(forge.asked("PATCH", "/comments/2")) == 1
    row = RolloutRow(application="a", group="g", deployment_id="d-1", status=DeploymentStatus.SUCCEEDED, text="")
    report = RolloutReport(repository="shop", commit_id=COMMIT, rows=(row,))
    talk.merged[COMMIT] = [7]
    news = msgspec.to_builtins(RolloutNews(repository="shop", commit_id=COMMIT, change_id=1))
    telling = Forges(config(forge, pull_requests=True), now, lambda _news: report)
    telling.send(msgspec.structs.replace(message(), body=news))
    assert talk.of(7)[-1].startswith(GitHubMarkup().marker(ROLLOUT))
    description = Description(described)
    assert [each for exchange in forge.exchanges for each in description.mistakes(exchange)] == []


def test_the_description_finds_mistakes(described: dict[str, Any]) -> None:
    place = f"/repos/acme/shop/statuses/{'a' * 40}"
    wrong = Exchange("POST", place, "", {"state": "done", "target_url": None}, 201, {"id": "1"})
    found = "\n".join(Description(described).mistakes(wrong))
    assert 'sent: "done" is not one of' in found
    assert "answered 201" in found
    with pytest.raises(AssertionError, match="GitHub has no"):
        Description(described).mistakes(wrong._replace(method="GET"))
