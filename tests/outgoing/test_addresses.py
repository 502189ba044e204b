"""Which addresses are refused, in every notation."""

import pytest

from runner.outgoing.addresses import is_link_local


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fd00:ec2::254",
    ],
)
def test_metadata_addresses_are_link_local(address: str) -> None:
    assert is_link_local(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "169.253.0.1", "169.255.0.1", "fec0::1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_link_local(address)
