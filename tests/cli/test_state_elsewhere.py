"""State is kept in folders: an address in place of one is refused, and no folder of that name is made."""

from pathlib import Path

import pytest
from cli_cases import Penstock

from runner.cli import exits

ADDRESSES = ("s3://bucket/prefix", "postgresql://ada:hidden@db/penstock")


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_no_state_folder(penstock: Penstock, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    kind = address.partition(":")[0]
    by_option = penstock("--state", address, "status")
    monkeypatch.setenv("PENSTOCK_STATE", address)
    by_environment = penstock("status")
    for said, by in ((by_option, "--state"), (by_environment, "PENSTOCK_STATE")):
        assert said.status == exits.USERS_MISTAKE
        assert f"{by} is an address ({kind}:...), and state is kept in folders only" in said.err
        assert "hidden" not in said.err
    assert list(Path().iterdir()) == []


def test_a_folder_may_have_a_colon_in_its_name(penstock: Penstock) -> None:
    assert penstock("--state", "a:b", "status").status == exits.FINE
    assert Path("a:b", "penstock.db").exists()
