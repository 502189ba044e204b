"""People who sign commits with X.509 certificates, by real gpgsm and by openssl, and the authorities above them."""

import datetime as dt
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from commit_signers import Signers, signers
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

DAY = dt.timedelta(days=1)
_PASSWORD = b"gpgsm takes no key without one"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Certified(NamedTuple):
    """A certificate and its key. *above*: who certified it, and so on, up to the root."""

    certificate: x509.Certificate
    key: Key
    above: "tuple[Certified, ...]" = ()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def private(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    @property
    def key_identifier(self) -> str:
        """As gpgsm takes it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def certified(
    name: str,
    by: Certified | None = None,
    *,
    authority: bool = False,
    address: str | None = None,
    usage: str | None = None,
    extended: ObjectIdentifier | None = ExtendedKeyUsageOID.EMAIL_PROTECTION,
    from_days: float = -2,
    to_days: float = 30,
    key: Key | None = None,
    path_length: int | None = None,
    permitted: str | None = None,
) -> Certified:
    """A certificate, by itself or *by* somebody. *usage*: a bit of keyUsage; *permitted*: the one domain to certify for."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    signer = by.key if by else own
    bit = usage or ("key_cert_sign" if authority else "digital_signature")
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(by.certificate.subject if by else _name(name))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + from_days * DAY)
        .not_valid_after(now + to_days * DAY)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
        .add_extension(_usage(bit, "crl_sign") if authority else _usage(bit), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if address:
        made = made.add_extension(_alternative_name(address), critical=False)
    if extended and not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
    if permitted:
        made = made.add_extension(x509.NameConstraints([x509.RFC822Name(permitted)], None), critical=True)
    return Certified(made.sign(signer, hashes.SHA256()), own, (by, *by.above) if by else ())


def authority_by_sha1(name: str, by: Certified, folder: Path) -> Certified:
    """Made by openssl, for the library signs with SHA-1 no more."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(key, hashes.SHA256())
    (folder / "by.pem").write_text(by.pem + by.private)
    (folder / "extensions").write_text("basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n")
    command = ["openssl", "x509", "-req", "-sha1", "-CA", "by.pem", "-set_serial", "7", "-extfile", "extensions"]
    given = asked.public_bytes(serialization.Encoding.PEM)
    made = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=True, timeout=60).stdout
    return Certified(x509.load_pem_x509_certificate(made), key, (by, *by.above))


def revocation_list(by: Certified, *gone: Certified, from_days: float = -1, to_days: float = 7) -> str:
    """A CRL of *by* that names *gone*; PEM."""
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(now + from_days * DAY)
        .next_update(now + to_days * DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    for each in gone:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        made = made.add_revoked_certificate(entry.revocation_date(now + from_days * DAY).build())
    return made.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Gpgsm:
    """gpgsm with a home of its own, which trusts the roots that it was told to."""

    def __init__(self, people: Signers) -> None:
        self._people = people
        self._home = people.home

    def trust(self, *roots: Certified) -> None:
        lines = "".join(f"{root.key_identifier} S relax\n" for root in roots)
        (self._home / "trustlist.txt").write_text(lines)
        for root in roots:
            self._import("--import", given=root.pem.encode())

    def keep(self, person: Certified) -> None:
        """Give it a certificate, which must have an RSA key, and those above."""
        for each in person.above:
            self._import("--import", given=each.pem.encode())
        kind = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000)
        kind = kind.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
        packed = pkcs12.serialize_key_and_certificates(
            b"key", person.key, person.certificate, None, kind.build(_PASSWORD)
        )
        (self._people.folder / "packed").write_bytes(packed)
        command = [
            "--pinentry-mode",
            "loopback",
            "--passphrase-fd",
            "0",
            "--import",
            str(self._people.folder / "packed"),
        ]
        self._import(*command, given=_PASSWORD)

    def by(self, person: Certified, *, at: str | None = None) -> list[str]:
        """Options of git that sign so. *at*: the time that gpgsm believes it is."""
        program = self._people.folder / f"gpgsm-{at}"
        clock = f"--faked-system-time {at}" if at else ""
        program.write_text(
            f"#!/bin/sh\nexec {' '.join(self._command)} --disable-crl-checks --pinentry-mode loopback "
            f'--passphrase-fd 9 {clock} "$@" 9<<END\n{_PASSWORD.decode()}\nEND\n'
        )
        program.chmod(0o755)
        return _options(program, person.key_identifier)

    def says_good(self, repository: Path, commit_id: str) -> bool:
        """`git verify-commit`, by this gpgsm."""
        program = self._people.folder / "gpgsm-verify"
        program.write_text(f'#!/bin/sh\nexec {" ".join(self._command)} --disable-crl-checks "$@"\n')
        program.chmod(0o755)
        command = ["git", "-c", f"gpg.x509.program={program}", "verify-commit", commit_id]
        return subprocess.run(command, cwd=repository, capture_output=True, timeout=60).returncode == 0

    @property
    def _command(self) -> list[str]:
        return ["gpgsm", "--homedir", str(self._home), "--batch", "--disable-dirmngr"]

    def _import(self, *command: str, given: bytes) -> None:
        done = subprocess.run([*self._command, *command], input=given, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def gpgsm() -> Iterator[Gpgsm]:
    with signers() as people:
        yield Gpgsm(people)


def by_openssl(
    folder: Path, *people: Certified, more: str = "", brings: tuple[Certified, ...] | None = None
) -> list[str]:
    """Options of git that sign as smimesign does. *more*: options of `openssl cms`; *brings*: in place of those above."""
    command = f"openssl cms -sign -binary -outform PEM -out {folder}/made"
    for number, each in enumerate(people):
        (folder / f"own-{number}.pem").write_text(each.pem + each.private)
        command += f" -signer {folder}/own-{number}.pem"
    if beside := people[0].above[:-1] if brings is None else brings:
        (folder / "brings.pem").write_text("".join(each.pem for each in beside))
        command += f" -certfile {folder}/brings.pem"
    program = folder / "smimesign"
    program.write_text(
        f"#!/bin/sh\nset -e\n{command} {more}\nsed s/CMS-----/'SIGNED MESSAGE-----'/ {folder}/made\n"
        "printf '\\n[GNUPG:] SIG_CREATED \\n' >&2\n"
    )
    program.chmod(0o755)
    return _options(program, people[0].key_identifier)


def _options(program: Path, key: str) -> list[str]:
    options = ["gpg.format=x509", f"gpg.x509.program={program}", f"user.signingKey={key}", "commit.gpgSign=true"]
    return [part for option in options for part in ("-c", option)]


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative_name(address: str) -> x509.ExtensionType:
    """As DER, for the library makes no addresses that are none."""
    name = bytes([0x81, len(address)]) + address.encode()
    return x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes([0x30, len(name)]) + name)


def _usage(*bits: str) -> x509.KeyUsage:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{bit: bit in bits for bit in every})
