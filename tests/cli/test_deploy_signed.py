"""`penstock plan` and `penstock deploy` where commits must be signed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from certificate_signers import by_openssl, certified, revocation_list
from cli_cases import Penstock
from commit_signers import Signers, commit_signed, signers


@pytest.fixture(scope="module")
def people() -> Iterator[Signers]:
    with signers() as made:
        made.ssh("ada")
        yield made


def test_an_unsigned_head_is_neither_planned_nor_deployed_and_a_signed_one_is(
    penstock: Penstock, people: Signers
) -> None:
    penstock.checkout()
    (penstock.here / ".penstock").mkdir()
    (penstock.here / ".penstock" / "allowed_signers").write_text(f"ada@example.com {people.public('ada')}\n")
    with (penstock.here / "penstock.toml").open("a") as config:
        config.write('[repositories.shop]\nurl = "."\n[repositories.shop.signatures]\n')
    commit_signed(penstock.here, people.by_ssh("ada"))
    (penstock.here / "file").write_text("unsigned")
    head = penstock.commit()
    for verb in ("plan", "deploy"):
        said = penstock(verb)
        assert said.status != 0
        assert f"commit {head[:10]} of shop is refused: it is not signed" in said.err
    assert penstock("--output", "json", "list").json == []
    (penstock.here / "file").write_text("signed")
    commit_signed(penstock.here, people.by_ssh("ada"))
    assert penstock("plan").status == 0
    assert penstock("deploy").status == 0


def test_certificates_sign_too_and_their_list_stands_where_the_configuration_says(
    penstock: Penstock, tmp_path: Path
) -> None:
    house = certified("House", authority=True)
    ada, eve = (certified(name, house, address=f"{name}@example.com") for name in ("ada", "eve"))
    penstock.checkout()
    (penstock.here / "who.pem").write_text(f"signers: *@example.com\n{house.pem}")
    (penstock.here / "gone.pem").write_text(revocation_list(house, eve))
    with (penstock.here / "penstock.toml").open("a") as config:
        config.write('[repositories.shop]\nurl = "."\n[repositories.shop.signatures]\n')
        config.write('allowed_certificates = "who.pem"\nrevoked_certificates = "gone.pem"\n')
    commit_signed(penstock.here, by_openssl(tmp_path, ada))
    (penstock.here / "file").write_text("by Eve")
    head = commit_signed(penstock.here, by_openssl(tmp_path, eve))
    said = penstock("plan")
    assert said.status != 0
    assert f"commit {head[:10]} of shop is refused: its certificate, of CN=eve, is revoked" in said.err
    (penstock.here / "file").write_text("by Ada")
    commit_signed(penstock.here, by_openssl(tmp_path, ada))
    assert penstock("deploy").status == 0


def test_a_demand_in_the_manifest_alone_says_what_is_missing(penstock: Penstock) -> None:
    penstock.checkout()
    manifest = penstock.here / "penstock.yaml"
    manifest.write_text(manifest.read_text().replace("platform: Server\n", "platform: Server\nsigned: required\n"))
    penstock.commit()
    assert penstock("validate").status == 0
    said = penstock("deploy")
    assert said.status != 0
    assert "give the repository a table `signatures`" in said.err
