"""Which versions an alias sends its requests to. Pure; in Lambda's shapes and ours.

Source: Lambda API reference, "AliasRoutingConfiguration".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.model.functions import LambdaState

ALL = 100  # percent


class Split(NamedTuple):
    """All requests go to *version*, but for *shares*: version and percent."""

    version: str
    shares: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        """`version 1`, or `version 1 (90 %) and version 2 (10 %)`."""
        if not self.shares:
            return f"version {self.version}"
        rest = ALL - sum(percent for _, percent in self.shares)
        parts = ((self.version, rest), *self.shares)
        return " and ".join(f"version {version} ({percent:g} %)" for version, percent in parts)

    @property
    def request(self) -> dict[str, Any]:
        """As UpdateAlias takes it. The weights are always named: those that are left out stay as they are."""
        weights = {version: percent / ALL for version, percent in self.shares}
        return {"FunctionVersion": self.version, "RoutingConfig": {"AdditionalVersionWeights": weights}}


class Alias(NamedTuple):
    """An alias as Lambda has it. *revision_id*: another one after every change."""

    split: Split
    revision_id: str


def read(answer: Mapping[str, Any]) -> Alias:
    """An answer of GetAlias or UpdateAlias. A version that gets nothing is no part of the split."""
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    shares = tuple(sorted((version, round(weight * ALL, 6)) for version, weight in weights.items() if weight))
    return Alias(Split(answer["FunctionVersion"], shares), answer.get("RevisionId") or "")


def at(state: LambdaState, weight: int) -> Split:
    """How the alias of *state* is when *weight* percent of its requests go to the target version."""
    target = state.target_version
    if not weight or target is None or target == state.current_version:
        return Split(state.current_version)
    return Split(target) if weight >= ALL else Split(state.current_version, ((target, float(weight)),))


def left_by(state: LambdaState) -> frozenset[Split]:
    """How a deployment that is at *state* may have left the alias."""
    weights = {state.weight} if state.attempted is None else {state.weight, state.attempted}
    return frozenset(at(state, weight) for weight in weights)
