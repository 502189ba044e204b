"""Our verdict on X.509 signatures, beside that of git with gpgsm where gpgsm knows the same rules."""

import base64
import datetime as dt
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from certificate_signers import DAY, Certified, Gpgsm, authority_by_sha1, by_openssl, certified, gpgsm, revocation_list
from commit_signers import commit_signed, raw, with_signature, write
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from local_git import commit, new_repository

from runner.sources.signatures.cms import elements
from runner.sources.signatures.commit import SignedCommit, parse
from runner.sources.signatures.judge import verify
from runner.sources.signatures.policy import Policy
from runner.sources.signatures.verdict import Bad, Good

ADA = "ada@example.com"


class Case(NamedTuple):
    """A commit, the lists that it is judged by, and what the verdict is to say. *gits*: what git says, where it is asked."""

    commit: str
    says: str
    allowed: str
    revoked: str | None = None
    at_head: str | None = None
    good: bool = False
    gits: bool | None = None


class House:
    """A root, an authority below it, Ada and others, made once. gpgsm has Ada's key, and trusts the root."""

    def __init__(self, sm: Gpgsm) -> None:
        self.sm = sm
        self.root = certified("House Root", authority=True, from_days=-100)
        self.issuing = certified("House Issuing", self.root, authority=True, path_length=0, from_days=-100)
        self.ada = self.person("Ada", ADA, key=_rsa())
        self.old = self.person("Old", "old@example.com", key=_rsa(), from_days=-90, to_days=-60)
        self.other_root = certified("Other Root", authority=True)
        self.eve = certified("Eve", self.other_root, address=ADA)
        sm.trust(self.root)
        sm.keep(self.ada)
        sm.keep(self.old)

    def person(self, name: str, address: str | None, **other) -> Certified:
        return certified(name, self.issuing, address=address, **other)


class Scene:
    """The house, and a repository of this test's own."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        self.repository = new_repository(folder / "shop")
        self.admits = listed(house.root, "*@example.com")

    def by_gpgsm(self, who: Certified, **at: str) -> str:
        return commit_signed(self.repository, self.house.sm.by(who, **at))

    def by_openssl(self, *who: Certified, more: str = "", brings: tuple[Certified, ...] | None = None) -> str:
        return commit_signed(self.repository, by_openssl(self.folder, *who, more=more, brings=brings))

    def with_text(self, text: bytes) -> str:
        return write(self.repository, with_signature(raw(self.repository, commit(self.repository)), text))

    def changed(self, commit_id: str) -> str:
        return write(self.repository, raw(self.repository, commit_id).replace(b"a change", b"another"))


def listed(authority: Certified, *patterns: str) -> str:
    return f"signers: {', '.join(patterns)}\n{authority.pem}"


def _days_ago(days: int) -> str:
    """As gpgsm takes it."""
    return (dt.datetime.now(dt.UTC) - days * DAY).strftime("%Y%m%dT%H%M%S")


def _run(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def _armour(blob: bytes) -> bytes:
    return b"-----BEGIN SIGNED MESSAGE-----\n" + base64.encodebytes(blob) + b"-----END SIGNED MESSAGE-----\n"


def _with_list(signature: bytes, crl: str) -> bytes:
    """*signature* with a revocation list beside its certificates, which are no part of what is signed."""
    [(_, info)] = elements(base64.b64decode(b"".join(signature.split(b"\n")[1:-2])))
    kind, (_, wrapped) = elements(info)
    [(_, signed)] = elements(wrapped)
    *before, signers = elements(signed)
    added = (0xA1, x509.load_pem_x509_crl(crl.encode()).public_bytes(Encoding.DER))
    inside = b"".join(_element(*each) for each in (*before, added, signers))
    return _armour(_element(0x30, _element(*kind) + _element(0xA0, _element(0x30, inside))))


def _element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


def _rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with gpgsm() as sm:
        yield House(sm)


@pytest.fixture
def scene(house: House, tmp_path: Path) -> Scene:
    return Scene(house, tmp_path)


def gpgsm_good(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, good=True, gits=True)


def openssl_good(scene: Scene) -> Case:
    return Case(scene.by_openssl(scene.house.ada), ADA, scene.admits, good=True, gits=True)


def ecdsa(scene: Scene) -> Case:
    return Case(scene.by_openssl(scene.house.person("Cy", "cy@example.com")), "cy@", scene.admits, good=True, gits=True)


def rsa_pss_with_sha512(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, more="-md sha512 -keyopt rsa_padding_mode:pss")
    return Case(made, ADA, scene.admits, good=True)


def without_signed_attributes(scene: Scene) -> Case:
    return Case(scene.by_openssl(scene.house.ada, more="-noattr"), ADA, scene.admits, good=True, gits=True)


def person_on_the_list(scene: Scene) -> Case:
    """Nothing of the authorities above is listed."""
    return Case(scene.by_gpgsm(scene.house.ada), "CN=Ada", f"# Ada\n{scene.house.ada.pem}", good=True)


def person_who_certified_himself(scene: Scene) -> Case:
    alone = certified("Alone")
    return Case(scene.by_openssl(alone), "CN=Alone", alone.pem, good=True)


def authority_that_is_not_the_root(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), ADA, listed(scene.house.issuing, ADA), good=True)


def link_on_the_list(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, brings=())
    return Case(made, ADA, scene.admits + scene.house.issuing.pem, good=True)


def link_missing(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, brings=())
    return Case(made, "neither on the list of certificates nor below", scene.admits)


def own_certificate_left_out_but_listed(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, brings=(), more="-nocerts")
    return Case(made, "CN=Ada", scene.house.ada.pem, good=True)


def own_certificate_left_out(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, brings=(), more="-nocerts")
    return Case(made, "neither in the signature nor on the list", scene.admits)


def address_in_other_case(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Di", "Di@Example.COM"))
    return Case(made, "Di@Example.COM", scene.admits, good=True)


def foreign(scene: Scene) -> Case:
    return Case(scene.by_openssl(scene.house.eve), "neither on the list", scene.admits, gits=False)


def no_list(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), "there is no list of certificates", "")


def authority_of_the_same_name(scene: Scene) -> Case:
    false_root = certified("House Root", authority=True)
    false = certified("House Issuing", false_root, authority=True)
    return Case(scene.by_openssl(certified("Ada", false, address=ADA)), "neither on the list", scene.admits)


def wrong_address(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Mallory", "mallory@example.org"))
    return Case(made, "does not admit 'mallory@example.org'", scene.admits)


def address_with_two_ats(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Mallory", "mallory@example.org@example.com"))
    return Case(made, "does not admit", scene.admits)


def no_address(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Nemo", None))
    return Case(made, "does not admit a certificate without an e-mail address", scene.admits)


def address_of_another_authority(scene: Scene) -> Case:
    """Each authority is asked for its own addresses only."""
    allowed = listed(scene.house.root, "*@example.org") + listed(scene.house.other_root, "*@example.com")
    return Case(scene.by_gpgsm(scene.house.ada), "does not admit 'ada@example.com'", allowed)


def authority_that_admits_nobody(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), "neither on the list", scene.house.root.pem + scene.house.eve.pem)


def expired(scene: Scene) -> Case:
    """It was not when it signed; git, too, asks for now."""
    long_ago = _days_ago(70)
    return Case(scene.by_gpgsm(scene.house.old, at=long_ago), "has expired", scene.admits, gits=False)


def expired_on_the_list(scene: Scene) -> Case:
    made = scene.by_gpgsm(scene.house.old, at=_days_ago(70))
    return Case(made, "its certificate, of CN=Old, has expired", scene.house.old.pem)


def expired_authority(scene: Scene) -> Case:
    past = certified("Past", authority=True, from_days=-9, to_days=-1)
    made = scene.by_openssl(certified("Ada", past, address=ADA))
    return Case(made, "an authority above its certificate, of CN=Ada, has expired", listed(past, ADA))


def not_valid_yet(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Soon", ADA, from_days=2))
    return Case(made, "is not valid yet", scene.admits, gits=False)


def not_for_signatures(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Safe", ADA, usage="key_encipherment"))
    return Case(made, "is not made to make signatures", scene.admits)


def for_servers(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Web", ADA, extended=ExtendedKeyUsageOID.SERVER_AUTH))
    return Case(made, "is not made to make signatures", scene.admits)


def for_anything(scene: Scene) -> Case:
    return Case(scene.by_openssl(scene.house.person("Any", ADA, extended=None)), ADA, scene.admits, good=True)


def authority_that_signs_itself(scene: Scene) -> Case:
    made = scene.by_openssl(certified("Self", authority=True, usage="digital_signature", address=ADA))
    return Case(made, "is an authority's, and those sign no commits", scene.admits)


def person_who_certifies(scene: Scene) -> Case:
    made = scene.by_openssl(certified("Eve", scene.house.ada, address=ADA))
    return Case(made, "an authority above its certificate, of CN=Eve, cannot be accepted", scene.admits, gits=False)


def authority_below_the_last(scene: Scene) -> Case:
    below = certified("Too deep", scene.house.issuing, authority=True)
    made = scene.by_openssl(certified("Eve", below, address=ADA))
    return Case(made, "path length constraint exceeded", scene.admits, gits=False)


def outside_what_the_authority_may_certify(scene: Scene) -> Case:
    bound = certified("Bound", scene.house.root, authority=True, permitted="example.org")
    made = scene.by_openssl(certified("Ada", bound, address=ADA))
    return Case(made, "has a name that an authority above it may not certify", scene.admits)


def weak_key(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.person("Weak", ADA, key=_rsa(1024)))
    return Case(made, "too weak (EE certificate key too weak)", scene.admits)


def authority_certified_with_sha1(scene: Scene) -> Case:
    weak = authority_by_sha1("Weak", scene.house.root, scene.folder)
    made = scene.by_openssl(certified("Ada", weak, address=ADA))
    return Case(made, "too weak (CA signature digest algorithm too weak)", scene.admits)


def authority_certified_with_sha1_on_the_list(scene: Scene) -> Case:
    weak = authority_by_sha1("Weak", scene.house.root, scene.folder)
    made = scene.by_openssl(certified("Ada", weak, address=ADA))
    return Case(made, ADA, listed(weak, ADA), good=True)


def weak_digest(scene: Scene) -> Case:
    made = scene.by_openssl(scene.house.ada, more="-md sha1")
    return Case(made, "not made with SHA-256", scene.admits)


def tampered(scene: Scene) -> Case:
    made = scene.changed(scene.by_gpgsm(scene.house.ada))
    return Case(made, "changed one of the two", scene.admits, gits=False)


def tampered_without_signed_attributes(scene: Scene) -> Case:
    made = scene.changed(scene.by_openssl(scene.house.ada, more="-noattr"))
    return Case(made, "changed one of the two", scene.admits, gits=False)


def with_content_of_its_own(scene: Scene) -> Case:
    """The content inside is this commit, or any other; only the commit itself is to be asked."""
    made = scene.by_openssl(scene.house.ada, more="-nodetach")
    return Case(scene.changed(made), "content of its own", scene.admits, gits=False)


def several_signers(scene: Scene) -> Case:
    other = scene.house.person("Cy", "cy@example.com")
    return Case(scene.by_openssl(scene.house.ada, other), "of several signers", scene.admits)


def no_signer(scene: Scene) -> Case:
    """Certificates alone (`openssl crl2pkcs7`), as they are handed out."""
    (scene.folder / "ada.pem").write_text(scene.house.ada.pem)
    command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", str(scene.folder / "ada.pem")]
    text = _run(*command).replace(b"PKCS7-----", b"SIGNED MESSAGE-----")
    return Case(scene.with_text(text), "of several signers, or of none", scene.admits, gits=False)


def encrypted(scene: Scene) -> Case:
    (scene.folder / "ada.pem").write_text(scene.house.ada.pem)
    command = ["openssl", "cms", "-encrypt", "-aes256", "-outform", "PEM", str(scene.folder / "ada.pem")]
    text = _run(*command).replace(b"CMS-----", b"SIGNED MESSAGE-----")
    return Case(scene.with_text(text), "is damaged", scene.admits, gits=False)


def damaged(scene: Scene) -> Case:
    text = b"-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----"
    return Case(scene.with_text(text), "is damaged", scene.admits, gits=False)


def no_base64(scene: Scene) -> Case:
    text = b"-----BEGIN SIGNED MESSAGE-----\n!!!!\n-----END SIGNED MESSAGE-----"
    return Case(scene.with_text(text), "is damaged", scene.admits, gits=False)


def something_beside_it(scene: Scene) -> Case:
    text = parse("", raw(scene.repository, scene.by_gpgsm(scene.house.ada))).signatures[0]
    return Case(scene.with_text(text + text), "has something beside it", scene.admits)


def nested_deep(scene: Scene) -> Case:
    """A structure in a structure, 20,000 times."""
    text = _armour(b"\x30\x80" * 20_000)
    return Case(scene.with_text(text), "is damaged", scene.admits)


def too_long(scene: Scene) -> Case:
    brings = tuple(certified(f"CA {number}", scene.house.root, authority=True) for number in range(120))
    return Case(scene.by_openssl(scene.house.ada, brings=brings), "far too long", scene.admits)


def too_many_certificates(scene: Scene) -> Case:
    brings = tuple(certified(f"CA {number}", scene.house.root, authority=True) for number in range(16))
    return Case(scene.by_openssl(scene.house.ada, brings=brings), "more than 16 certificates", scene.admits)


def revoked_itself(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), "is revoked", scene.admits, revoked=scene.house.ada.pem)


def revoked_authority_itself(scene: Scene) -> Case:
    made = scene.by_gpgsm(scene.house.ada)
    says = "an authority above its certificate, of CN=Ada, is revoked"
    return Case(made, says, scene.admits, revoked=scene.house.issuing.pem)


def somebody_else_revoked(scene: Scene) -> Case:
    revoked = scene.house.old.pem + revocation_list(scene.house.issuing, scene.house.old)
    allowed = scene.admits + scene.house.issuing.pem
    return Case(scene.by_gpgsm(scene.house.ada), ADA, allowed, revoked=revoked, good=True)


def on_a_revocation_list(scene: Scene) -> Case:
    revoked = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(
        scene.by_gpgsm(scene.house.ada), "its certificate, of CN=Ada, is revoked", scene.admits, revoked=revoked
    )


def person_on_the_list_and_on_a_revocation_list(scene: Scene) -> Case:
    allowed = scene.house.ada.pem + scene.house.issuing.pem
    revoked = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(scene.by_gpgsm(scene.house.ada), "is revoked", allowed, revoked=revoked)


def person_on_the_list_whose_authority_is_unknown(scene: Scene) -> Case:
    revoked = revocation_list(scene.house.issuing)
    made = scene.by_openssl(scene.house.ada, brings=())
    return Case(made, "cannot be known not to be revoked: no revocation list", scene.house.ada.pem, revoked=revoked)


def authority_on_a_revocation_list(scene: Scene) -> Case:
    revoked = revocation_list(scene.house.root, scene.house.issuing)
    says = "an authority above its certificate, of CN=Ada, is revoked"
    return Case(scene.by_gpgsm(scene.house.ada), says, scene.admits, revoked=revoked)


def revocation_list_brought_along(scene: Scene) -> Case:
    """An older one, from before she was revoked, in the signature: openssl would believe it first."""
    made = parse("", raw(scene.repository, scene.by_openssl(scene.house.ada)))
    signature = _with_list(made.signatures[0], revocation_list(scene.house.issuing, from_days=-3))
    made = write(scene.repository, with_signature(made.payload, signature))
    revoked = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(made, "is revoked", scene.admits, revoked=revoked)


def revocation_list_of_somebody_else(scene: Scene) -> Case:
    false = certified("House Issuing", scene.house.other_root, authority=True)
    revoked = revocation_list(false)
    return Case(scene.by_gpgsm(scene.house.ada), "cannot be known not to be revoked", scene.admits, revoked=revoked)


def revocation_list_out_of_date(scene: Scene) -> Case:
    revoked = revocation_list(scene.house.issuing, from_days=-9, to_days=-1)
    return Case(scene.by_gpgsm(scene.house.ada), "authority is out of date", scene.admits, revoked=revoked)


def revocation_list_not_valid_yet(scene: Scene) -> Case:
    revoked = revocation_list(scene.house.issuing, from_days=1)
    return Case(scene.by_gpgsm(scene.house.ada), "authority is not valid yet", scene.admits, revoked=revoked)


def fresh_revocation_list_at_the_head(scene: Scene) -> Case:
    old = revocation_list(scene.house.issuing, from_days=-9, to_days=-1)
    fresh = revocation_list(scene.house.issuing)
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, revoked=old, at_head=fresh, good=True)


def revoked_by_the_list_at_the_head(scene: Scene) -> Case:
    trusted = revocation_list(scene.house.issuing, from_days=-3)
    fresh = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(scene.by_gpgsm(scene.house.ada), "is revoked", scene.admits, revoked=trusted, at_head=fresh)


def strange_authority_beside_the_list_at_the_head(scene: Scene) -> Case:
    """In the authority's name, with a key of a kind that nobody knows: no reason not to ask the real one."""
    der, kind = scene.house.issuing.certificate.public_bytes(Encoding.DER), bytes.fromhex("2a8648ce3d0201")
    strange = x509.load_der_x509_certificate(der.replace(kind, bytes.fromhex("2a8648ce3d0241")))
    made = scene.by_openssl(scene.house.ada, brings=(scene.house.issuing, Certified(strange, scene.house.issuing.key)))
    trusted = revocation_list(scene.house.issuing, from_days=-3)
    fresh = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(made, "is revoked", scene.admits, revoked=trusted, at_head=fresh)


def older_revocation_list_at_the_head(scene: Scene) -> Case:
    trusted = revocation_list(scene.house.issuing, scene.house.ada)
    older = revocation_list(scene.house.issuing, from_days=-3)
    return Case(scene.by_gpgsm(scene.house.ada), "is revoked", scene.admits, revoked=trusted, at_head=older)


def no_revocation_list_at_the_head(scene: Scene) -> Case:
    trusted = revocation_list(scene.house.issuing, scene.house.ada)
    return Case(scene.by_gpgsm(scene.house.ada), "is revoked", scene.admits, revoked=trusted, at_head="nothing")


def false_revocation_list_at_the_head(scene: Scene) -> Case:
    """Newer, in the authority's name, and not by the authority."""
    false = revocation_list(certified("House Issuing", authority=True), scene.house.ada, from_days=-0.5)
    trusted = revocation_list(scene.house.issuing)
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, revoked=trusted, at_head=false, good=True)


def list_out_of_date_at_the_head(scene: Scene) -> Case:
    """A real one, which anybody may have; nobody who is trusted has asked for lists of that authority."""
    past = revocation_list(scene.house.issuing, from_days=-9, to_days=-1)
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, at_head=past, good=True)


def nonsense_at_the_head(scene: Scene) -> Case:
    at_head = "-----BEGIN X509 CRL-----\n"
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, at_head=at_head, good=True)


def certificate_at_the_head(scene: Scene) -> Case:
    """Only what an authority has signed counts from there; else whoever can push could lock others out."""
    at_head = scene.house.ada.pem
    return Case(scene.by_gpgsm(scene.house.ada), ADA, scene.admits, at_head=at_head, good=True)


def damaged_list(scene: Scene) -> Case:
    return Case(scene.by_gpgsm(scene.house.ada), "the list of certificates cannot be used", scene.admits[:-20])


def damaged_revocations(scene: Scene) -> Case:
    made = scene.by_gpgsm(scene.house.ada)
    return Case(made, "the file of revoked certificates cannot be used", scene.admits, revoked=scene.house.ada.private)


CASES = [
    value for name, value in list(globals().items()) if getattr(value, "__annotations__", {}).get("return") is Case
]


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_who_is_admitted_and_why_not(made: Callable[[Scene], Case], scene: Scene) -> None:
    case = made(scene)
    lists = Policy(
        signers=None,
        keys=None,
        revoked=None,
        demanded=True,
        certificates=case.allowed.encode() or None,
        revoked_certificates=case.revoked.encode() if case.revoked else None,
        revoked_at_head=case.at_head.encode() if case.at_head else None,
    )
    verdict = verify(parse(case.commit, raw(scene.repository, case.commit)), lists)
    if case.good:
        assert isinstance(verdict, Good), verdict
        assert case.says in verdict.who
    else:
        assert isinstance(verdict, Bad), verdict
        assert case.says in verdict.why
        assert verdict.remedy.endswith(".")
    if case.gits is not None:
        assert scene.house.sm.says_good(scene.repository, case.commit) == case.gits


@pytest.fixture(scope="module")
def sealed(house: House, tmp_path_factory: pytest.TempPathFactory) -> SignedCommit:
    scene = Scene(house, tmp_path_factory.mktemp("sealed"))
    made = scene.by_gpgsm(house.ada)
    return parse(made, raw(scene.repository, made))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_changed_byte_makes_another_signer(house: House, sealed: SignedCommit, data: st.DataObject) -> None:
    """Some are of no account; the others have their reason."""
    blob = bytearray(base64.b64decode(b"".join(sealed.signatures[0].split(b"\n")[1:-2])))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    lists = Policy(signers=None, keys=None, revoked=None, demanded=True)
    lists = lists._replace(certificates=listed(house.root, "*@example.com").encode())
    verdict = verify(sealed._replace(signatures=(_armour(bytes(blob)),)), lists)
    if isinstance(verdict, Good):
        assert verdict == Good(ADA, f"certificate {house.ada.fingerprint}")


def test_the_fingerprint_of_the_certificate_is_named(scene: Scene) -> None:
    made = scene.by_openssl(scene.house.eve)
    lists = Policy(signers=None, keys=None, revoked=None, demanded=True, certificates=scene.admits.encode())
    verdict = verify(parse(made, raw(scene.repository, made)), lists)
    assert verdict.key == f"certificate {scene.house.eve.fingerprint}"
