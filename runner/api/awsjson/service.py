"""One service: its operations, what they take and what they give, compiled from its model when first called."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from runner.api.awsjson.constraints import Check, constraints, required
from runner.api.awsjson.faults import Fault, json_object
from runner.api.awsjson.models import Model
from runner.api.awsjson.parsing import Parse, parser
from runner.api.awsjson.rules import ALSO_REQUIRED, BATCHES, GENERAL, TRAITS, exception, general, missing
from runner.api.awsjson.shaping import Shape, shaper
from runner.api.call import AsyncOperation, Operation, Params, Result
from runner.errors import Refused


class Contract(NamedTuple):
    """What one operation takes and gives. *declared*: the exceptions that its model names."""

    name: str
    parse: Parse
    filled: tuple[str, ...]  # members that may not be empty either
    required: tuple[str, ...]
    requirements: Check | None
    constraints: Check | None
    shape: Shape | None
    declared: frozenset[str]


class Service:
    """A service model with the operations that answer it.

    *prefix*: of its targets. *signing_name*: in the scope of its callers' signatures. *load*: gives the model; called with
    the first request. *strict*: see `shaper`. Operations that are not in *operations* are not known to the caller either.
    """

    def __init__(
        self,
        prefix: str,
        signing_name: str,
        load: Callable[[], Model],
        operations: Mapping[str, Operation | AsyncOperation],
        *,
        strict: bool = False,
    ) -> None:
        self.prefix = prefix
        self.signing_names = frozenset({signing_name})
        self.operations = operations
        self._load = load
        self._model: Model | None = None
        self._strict = strict
        self._contracts: dict[str, Contract] = {}
        self._parsers: dict[str, Parse] = {}
        self._shapers: dict[str, Shape] = {}

    def read(self, operation: str, body: bytes) -> Params:
        """The checked parameters in *body*. Raises `Refused` with the operation's own exception.

        In this order: types, what is missing, what is not allowed, how much there is.
        """
        contract = self._contract(operation)
        value = json_object(body)
        try:
            params: Params = contract.parse(value)
            self._check_presence(contract, params)
            if contract.constraints:
                contract.constraints(params)
        except Fault as fault:
            raise Refused(exception(fault, contract.declared), str(fault)) from None
        check_batch(operation, params)
        return params

    def write(self, operation: str, result: Result) -> bytes:
        """*result* as JSON. Raises `Misshapen`."""
        contract = self._contract(operation)
        return msgspec.json.encode(contract.shape(result)) if contract.shape else b"{}"

    @property
    def loaded(self) -> bool:
        return self._model is not None

    def load(self) -> None:
        """Read the model now; a tenth of a second, that nothing in a loop should wait for."""
        self._model = self._load()

    def word(self, operation: str, code: str) -> str:
        """*code*, if it may be said here; a deployment's error code, or an exception for any input, is said in general."""
        declared = self._contract(operation).declared
        return code if code.endswith("Exception") and code not in GENERAL else general(declared)

    @property
    def failure(self) -> str:
        """What a bug of ours is called. The agents' service has a word of its own for it."""
        return "ServerException" if "ServerException" in self._described()["shapes"] else "InternalFailure"

    @property
    def unavailable(self) -> str:
        """What it is called when something that is needed is out of reach."""
        return "ServerException" if "ServerException" in self._described()["shapes"] else "ServiceUnavailableException"

    @staticmethod
    def _check_presence(contract: Contract, params: Params) -> None:
        for name in contract.required:
            if name not in params or (name in contract.filled and params[name] in ("", [])):
                raise Fault("missing", "is required").under(name)
        if contract.requirements:
            contract.requirements(params)

    def _described(self) -> Model:
        if self._model is None:
            self.load()
        assert self._model is not None
        return self._model

    def _contract(self, operation: str) -> Contract:
        contract = self._contracts.get(operation)
        if contract is None:
            contract = self._contracts[operation] = self._compile(operation)
        return contract

    def _compile(self, name: str) -> Contract:
        model = self._described()
        operation: dict[str, Any] = model["operations"][name]
        takes = operation["input"]["shape"] if "input" in operation else None
        gives = operation["output"]["shape"] if "output" in operation else None
        declared = frozenset(error["shape"] for error in operation.get("errors", ()))
        needed = (*(model["shapes"][takes].get("required", ()) if takes else ()), *ALSO_REQUIRED.get(name, ()))
        return Contract(
            name,
            parser(model, takes, self._parsers) if takes else lambda value: {},
            tuple(member for member in needed if missing(member, declared)),
            needed,
            required(model, takes) if takes else None,
            constraints(model, takes, TRAITS) if takes else None,
            shaper(model, gives, self._shapers, strict=self._strict) if gives else None,
            declared,
        )


def check_batch(operation: str, params: Params) -> None:
    """A batch holds no more than it may. Raises `Refused`."""
    if operation in BATCHES:
        member, most, code = BATCHES[operation]
        if len(params.get(member, ())) > most:
            raise Refused(code, f"{member}: should have at most {most} items, not {len(params[member])}")
