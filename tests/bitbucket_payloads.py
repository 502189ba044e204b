"""What Bitbucket sends to webhooks, whole: made in the shapes of Atlassian's "Event payloads" of Cloud and Data Center."""

from typing import Any

_ZERO, _OLD, _NEW = "0" * 40, "709d658dc5b6d6afcd46049c2f332ee3f515a67d", "5c7fca51ed7d2c1bd2b26aaaa2e0aa9c0c0e0b11"
_AT = "2026-06-09T03:34:49+00:00"
_API, _PAGES, _OWN = "https://api.bitbucket.org/2.0", "https://bitbucket.org", "https://bitbucket.example.com"


def _links(**places: str) -> dict[str, Any]:
    return {name: {"href": place} for name, place in places.items()}


# Cloud


def _account() -> dict[str, Any]:
    return {
        "type": "user",
        "display_name": "Emma",
        "nickname": "emma",
        "uuid": "{a54f16da-24e9-4d7f-a3a7-b1ba2cd98aa3}",
        "account_id": "5b10a2844c20165700ede21f",
        "links": _links(self=f"{_API}/users/emma", html=f"{_PAGES}/emma", avatar=f"{_PAGES}/account/emma/avatar/32"),
    }


def _repository() -> dict[str, Any]:
    return {
        "type": "repository",
        "full_name": "acme/shop",
        "name": "shop",
        "uuid": "{673a6070-3421-46c9-9d48-90745f7bfe8e}",
        "website": "",
        "scm": "git",
        "is_private": True,
        "owner": _account(),
        "workspace": {"type": "workspace", "slug": "acme", "name": "acme", "uuid": "{cd4b1f7e}", "links": _links()},
        "project": {"type": "project", "key": "SHOP", "name": "Shop", "uuid": "{3b7898dc}", "links": _links()},
        "links": _links(self=f"{_API}/repositories/acme/shop", html=f"{_PAGES}/acme/shop"),
    }


def _commit(commit_id: str) -> dict[str, Any]:
    place = f"{_API}/repositories/acme/shop/commit/{commit_id}"
    return {
        "type": "commit",
        "hash": commit_id,
        "author": {"type": "author", "raw": "Emma <emma@example.com>", "user": _account()},
        "date": _AT,
        "message": "a change\n",
        "summary": {"type": "rendered", "raw": "a change\n", "markup": "markdown", "html": "<p>a change</p>"},
        "parents": [{"type": "commit", "hash": _OLD, "links": _links(self=place)}],
        "links": _links(self=place, html=f"{_PAGES}/acme/shop/commits/{commit_id}"),
        "rendered": {},
        "properties": {},
    }


def _reference(kind: str, name: str, commit_id: str) -> dict[str, Any]:
    folder = {"branch": "branches", "tag": "tags"}[kind]
    own = {"message": "first\n", "date": _AT, "tagger": _commit(commit_id)["author"]} if kind == "tag" else {}
    return {
        "type": kind,
        "name": name,
        "target": _commit(commit_id),
        "links": _links(self=f"{_API}/repositories/acme/shop/refs/{folder}/{name}"),
        **own,
    }


def _moved(kind: str, name: str, old: str | None, new: str | None, forced: bool = False) -> dict[str, Any]:
    return {
        "old": old and _reference(kind, name, old),
        "new": new and _reference(kind, name, new),
        "created": old is None,
        "closed": new is None,
        "forced": forced,
        "truncated": False,
        "commits": [_commit(new)] if new else [],
        "links": _links(html=f"{_PAGES}/acme/shop/branch/{name}"),
    }


def cloud_push() -> dict[str, Any]:
    """A forced push of a branch, a new branch, a new tag, and a branch and a tag that are deleted, in one."""
    changes = [
        _moved("branch", "main", _OLD, _NEW, forced=True),
        _moved("branch", "feature/cart", None, _NEW),
        _moved("tag", "v1.2", None, _NEW),
        _moved("branch", "done", _OLD, None),
        _moved("tag", "wrong", _OLD, None),
    ]
    return {"push": {"changes": changes}, "repository": _repository(), "actor": _account()}


def cloud_pull_request() -> dict[str, Any]:
    """Also of one that was merged, but for its state."""
    end = {"branch": {"name": "feature/cart"}, "commit": _commit(_NEW), "repository": _repository()}
    return {
        "pullrequest": {
            "type": "pullrequest",
            "id": 7,
            "title": "A cart",
            "description": "with wheels",
            "state": "OPEN",
            "draft": False,
            "author": _account(),
            "source": end,
            "destination": {**end, "branch": {"name": "main"}},
            "merge_commit": None,
            "participants": [],
            "reviewers": [_account()],
            "close_source_branch": True,
            "closed_by": None,
            "reason": "",
            "comment_count": 0,
            "task_count": 0,
            "created_on": _AT,
            "updated_on": _AT,
            "links": _links(self=f"{_API}/repositories/acme/shop/pullrequests/7"),
        },
        "repository": _repository(),
        "actor": _account(),
    }


# Data Center


def _person() -> dict[str, Any]:
    return {
        "name": "admin",
        "emailAddress": "admin@example.com",
        "active": True,
        "displayName": "Administrator",
        "id": 2,
        "slug": "admin",
        "type": "NORMAL",
        "links": {"self": [{"href": f"{_OWN}/users/admin"}]},
    }


def _of_project() -> dict[str, Any]:
    return {
        "slug": "shop",
        "id": 84,
        "name": "shop",
        "hierarchyId": "12cb3c28a34e6d0a78c6",
        "scmId": "git",
        "state": "AVAILABLE",
        "statusMessage": "Available",
        "forkable": True,
        "public": False,
        "archived": False,
        "project": {"key": "ACME", "id": 2, "name": "acme", "public": False, "type": "NORMAL"},
        "links": {"clone": [{"href": f"{_OWN}/scm/acme/shop.git", "name": "http"}]},
    }


def _change(ref: str, kind: str, old: str, new: str) -> dict[str, Any]:
    folder, _, name = ref.removeprefix("refs/").partition("/")
    what = {"heads": "BRANCH", "tags": "TAG"}[folder]
    shown = {"id": ref, "displayId": name, "type": what}
    return {"ref": shown, "refId": ref, "fromHash": old, "toHash": new, "type": kind}


def _of_data_center(commit_id: str) -> dict[str, Any]:
    who = {"name": "Administrator", "emailAddress": "admin@example.com"}
    return {
        "id": commit_id,
        "displayId": commit_id[:11],
        "author": who,
        "authorTimestamp": 1_780_000_000_000,
        "committer": who,
        "committerTimestamp": 1_780_000_000_000,
        "message": "a change",
        "parents": [{"id": _OLD, "displayId": _OLD[:11]}],
    }


def data_center_push() -> dict[str, Any]:
    """A branch that moves, a new branch, a new tag, and a branch that is deleted, in one."""
    return {
        "eventKey": "repo:refs_changed",
        "date": "2026-06-05T13:54:44+0000",
        "actor": _person(),
        "repository": _of_project(),
        "changes": [
            _change("refs/heads/main", "UPDATE", _OLD, _NEW),
            _change("refs/heads/feature/cart", "ADD", _ZERO, _NEW),
            _change("refs/tags/v1.2", "ADD", _ZERO, _NEW),
            _change("refs/heads/done", "DELETE", _OLD, _ZERO),
        ],
        "commits": [_of_data_center(_NEW)],
        "toCommit": _of_data_center(_NEW),
    }


def data_center_pull_request() -> dict[str, Any]:
    end = {"id": "refs/heads/feature/cart", "displayId": "feature/cart", "type": "BRANCH", "latestCommit": _NEW}
    return {
        "eventKey": "pr:opened",
        "date": "2026-06-05T13:54:44+0000",
        "actor": _person(),
        "pullRequest": {
            "id": 7,
            "version": 1,
            "title": "A cart",
            "state": "OPEN",
            "open": True,
            "closed": False,
            "draft": False,
            "locked": False,
            "createdDate": 1_780_000_000_000,
            "updatedDate": 1_780_000_000_000,
            "fromRef": {**end, "repository": _of_project()},
            "toRef": {**end, "id": "refs/heads/main", "displayId": "main", "repository": _of_project()},
            "author": {"user": _person(), "role": "AUTHOR", "approved": False, "status": "UNAPPROVED"},
            "reviewers": [],
            "participants": [],
            "links": {"self": [{"href": f"{_OWN}/projects/ACME/repos/shop/pull-requests/7"}]},
        },
    }
