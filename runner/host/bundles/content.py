"""Pieces a bundle together that is not on this machine: out of revisions kept here, and from the control side."""

from __future__ import annotations

import os

from runner.host.bundles import revisions
from runner.host.bundles.incoming import Incoming
from runner.host.bundles.listing import Contents, contents_of, members_of
from runner.host.bundles.tree import Tree
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.host.bundles.exchange import Exchange
    from runner.host.layout import Layout

_NOT_UNDERSTOOD = (ValueError, TypeError, IndexError, OverflowError)


def piece_together(layout: Layout, folder: str, max_bytes: int | None, exchange: Exchange) -> int:
    """Make the tree of the request's bundle in *folder*, which must not exist. Returns the bytes of disk that it takes.

    Before that it makes room, see `revisions.keep_room`. Raises `Failure`, `HungUp`, `OSError`; see `bundle.download`.
    """
    os.makedirs(layout.incoming, mode=0o700, exist_ok=True)
    listing = listing_of(layout)
    exchange.listing_into(listing)
    try:
        contents = contents_of(listing)
        if max_bytes is not None:
            revisions.keep_room(layout, contents.room, max_bytes)
        incoming = Incoming(layout.incoming, contents)
        _gather(incoming, layout.state, exchange)
        revisions.remove(folder)
        revisions.remove(layout.archive)
        os.mkdir(folder)
        return _place(listing, contents, incoming, Tree(folder), layout.deployment)
    except _NOT_UNDERSTOOD as error:
        raise Failure(
            "This host did not understand the listing of the bundle: {}. Do the control side and the host run the same "
            "version?".format(error)
        ) from error


def listing_of(layout: Layout) -> str:
    """Where the listing of the bundle that is being fetched is kept."""
    return os.path.join(layout.incoming, "listing")


def _gather(incoming: Incoming, state: str, exchange: Exchange) -> None:
    incoming.take_up()
    for digest, path in revisions.files_with(incoming.lacking, state):
        incoming.copy(digest, path)
    ranges = incoming.needs()
    if not ranges:
        return
    exchange.ask_for(ranges)
    for first, end in ranges:
        for number in range(first, end):
            is_packed, pieces = exchange.next_content()
            incoming.receive(number, is_packed, pieces)


def _place(listing: str, contents: Contents, incoming: Incoming, tree: Tree, deployment: str) -> int:
    with revisions.contents_file(deployment) as files:
        for member, number in members_of(listing, contents):
            path = tree.add(member, lambda path, number=number: incoming.put(number, path))  # type: ignore[misc]
            if number >= 0:
                revisions.add_file(files, contents.digest(number), path, os.path.relpath(path, tree.root))
    tree.finish()
    return tree.bytes
