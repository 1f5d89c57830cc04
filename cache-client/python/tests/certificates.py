"""Certificates made by the openssl command, which Debian's JDK and python3 bring along."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = "IP:127.0.0.1"


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, as PEM files."""

    certificate: str
    key: str


def _openssl(*arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr


def _paths(directory: Path, name: str) -> Identity:
    return Identity(str(directory / f"{name}.pem"), str(directory / f"{name}.key.pem"))


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def self_signed(directory: Path, name: str, names: str = HERE) -> Identity:
    made = _paths(directory, name)
    out = ("-keyout", made.key, "-out", made.certificate, "-subj", f"/CN={name}")
    _openssl("req", "-x509", *_KEY, *out, "-days", "30", "-addext", f"subjectAltName={names}")
    return made


def signed(directory: Path, name: str, by: Identity, names: str = HERE) -> Identity:
    made = _paths(directory, name)
    asked = str(directory / f"{name}.csr")
    names_file = directory / f"{name}.ext"
    names_file.write_text(f"subjectAltName={names}\n")
    _openssl("req", "-new", *_KEY, "-keyout", made.key, "-out", asked, "-subj", f"/CN={name}")
    signer = ("-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial")
    ext = ("-extfile", str(names_file))
    _openssl("x509", "-req", "-in", asked, *signer, "-out", made.certificate, "-days", "30", *ext)
    return made


def expired(directory: Path, name: str) -> Identity:
    """Signed by itself; was valid once."""
    made = _paths(directory, name)
    asked, database, ca = (directory / f"{name}.{end}" for end in ("csr", "db", "cnf"))
    database.write_text("")
    ca.write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={database}\nnew_certs_dir={directory}\n"
        "default_md=sha256\nrand_serial=yes\npolicy=any\nunique_subject=no\nx509_extensions=ext\n"
        f"[any]\ncommonName=supplied\n[ext]\nsubjectAltName={HERE}\n"
    )
    out = ("-keyout", made.key, "-out", str(asked), "-subj", f"/CN={name}")
    _openssl("req", "-new", *_KEY, *out)
    own = ("-selfsign", "-keyfile", made.key, "-in", str(asked), "-out", made.certificate)
    when = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    _openssl("ca", "-batch", "-notext", "-config", str(ca), *own, *when)
    return made


def traditional_key(made: Identity, to: Path) -> str:
    _openssl("ec", "-in", made.key, "-out", str(to))
    return str(to)
