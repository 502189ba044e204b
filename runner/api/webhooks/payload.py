"""The refs that a delivery names: for people to read. What is deployed, the repository says."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from runner.api.webhooks.refusal import Refusal
from runner.model.delivery import Sender
from runner.model.value import decoder

MOST = 20  # refs of one delivery
_REF = re.compile("refs/[^\x00-\x20\x7f~^:?*\\[\\\\\ud800-\udfff]{1,500}")
_JSON, _FORM = b"application/json", b"application/x-www-form-urlencoded"


class _Anything(msgspec.Struct):
    pass


class _Push(msgspec.Struct):
    ref: str


class _Made(msgspec.Struct):
    ref: str
    ref_type: str


class _Tagged(msgspec.Struct):
    tag_name: str


class _Release(msgspec.Struct):
    release: _Tagged


class _OfBranch(msgspec.Struct):
    head_branch: str | None


class _WorkflowRun(msgspec.Struct):
    workflow_run: _OfBranch


class _Base(msgspec.Struct):
    base: _Push


class _PullRequest(msgspec.Struct):
    pull_request: _Base


class _Named(msgspec.Struct):
    name: str
    type: str


class _Move(msgspec.Struct):
    new: _Named | None = None
    old: _Named | None = None


class _Moves(msgspec.Struct):
    changes: list[_Move]


class _CloudPush(msgspec.Struct):
    push: _Moves


class _RefId(msgspec.Struct, rename="camel"):
    ref_id: str


class _RefsChanged(msgspec.Struct):
    changes: list[_RefId]


_Read = Callable[[bytes], Any]
_Refs = Callable[[Any], Iterable[str]]


def _of_cloud(payload: _CloudPush) -> Iterable[str]:
    for move in payload.push.changes:
        if named := move.new or move.old:
            yield _ref(named.type, named.name)


def _ref(kind: str, name: str) -> str:
    return f"refs/{'tags' if kind == 'tag' else 'heads'}/{name}"


_PAYLOADS: dict[tuple[str, str], tuple[type, _Refs]] = {
    ("github", "push"): (_Push, lambda told: [told.ref]),
    ("github", "create"): (_Made, lambda told: [_ref(told.ref_type, told.ref)]),
    ("github", "delete"): (_Made, lambda told: [_ref(told.ref_type, told.ref)]),
    ("github", "release"): (_Release, lambda told: [_ref("tag", told.release.tag_name)]),
    ("github", "workflow_run"): (_WorkflowRun, lambda told: [_ref("branch", told.workflow_run.head_branch or "")]),
    ("github", "pull_request"): (_PullRequest, lambda told: [_ref("branch", told.pull_request.base.ref)]),
    ("bitbucket", "repo:push"): (_CloudPush, _of_cloud),
    ("bitbucket-data-center", "repo:refs_changed"): (
        _RefsChanged,
        lambda told: [change.ref_id for change in told.changes],
    ),
    ("generic", "generic"): (_Push, lambda told: [told.ref]),
}
_READERS: dict[tuple[str, str], tuple[_Read, _Refs]] = {
    key: (decoder(kind).decode, refs) for key, (kind, refs) in _PAYLOADS.items()
}
_OTHERS: tuple[_Read, _Refs] = (decoder(_Anything).decode, lambda _told: ())


def refs(sender: Sender, event: str, content_type: bytes, content: bytes) -> tuple[str, ...]:
    """Full names of the refs that are named; none where the payload has another shape than we know.

    Raises `Refusal`: it is neither JSON nor a form with JSON in `payload`.
    """
    text = content if content_type == _JSON else _json(content_type, content)
    if not text and sender == "generic":
        return ()
    read, named = _READERS.get((sender, event), _OTHERS)
    try:
        found = list(named(read(text)))
    except msgspec.ValidationError:
        return ()
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    return tuple(dict.fromkeys(filter(_REF.fullmatch, found)))[:MOST]


def _json(content_type: bytes, content: bytes) -> bytes:
    kind = content_type.partition(b";")[0].strip().lower()
    if kind in (_JSON, b""):
        return content
    if kind != _FORM:
        raise Refusal(415, f"the content type should be {_JSON.decode()} or {_FORM.decode()}")
    try:
        return dict(parse_qsl(content, max_num_fields=16)).get(b"payload", b"")
    except ValueError:
        raise Refusal(400, "the form has too many fields") from None
