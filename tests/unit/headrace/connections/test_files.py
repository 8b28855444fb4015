"""PEM files, and what is said of one that does not hold what it should."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from headrace.errors import SettingsError
from headrace.settings.model import load_settings

KEY_OF_THE_CERTIFICATE = "a PEM file with the private key of the certificate, without a passphrase"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("own", "other"):
        made = authority.issue_cert(f"{name}.example")
        made.cert_chain_pems[0].write_to_path(str(folder / f"{name}.cert"))
        made.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        made.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.both"))
        secret = load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")
        )
        (folder / f"{name}.locked").write_bytes(secret)
    (folder / "nonsense").write_text("nonsense")
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    return folder


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, ca: str, cert: str | None, key: str | None) -> None:
    monkeypatch.setenv("HEADRACE_KAFKA", "broker:9093")
    monkeypatch.setenv("HEADRACE_KAFKA_SECURITY", "tls")
    for name, value in (("CA", ca), ("CERT", cert), ("KEY", key)):
        if value is not None:
            monkeypatch.setenv(f"HEADRACE_KAFKA_{name}", str(folder / value))
    load_settings()


@pytest.mark.parametrize(("cert", "key"), [(None, None), ("own.cert", "own.key"), ("own.both", None)])
def test_a_clients_certificate_may_stand_with_its_key_or_beside_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path, cert: str | None, key: str | None
):
    load(monkeypatch, folder, "ca.pem", cert, key)


@pytest.mark.parametrize(
    ("ca", "cert", "key", "variable", "allowed"),
    [
        ("gone", None, None, "CA", "a file that can be read (No such file or directory)"),
        (".", None, None, "CA", "a file that can be read (Is a directory)"),
        ("bytes", None, None, "CA", "a file that can be read (it is no text)"),
        ("nonsense", None, None, "CA", "a PEM file with the certificates to trust"),
        ("ca.pem", "gone", "own.key", "CERT", "a file that can be read (No such file or directory)"),
        ("ca.pem", "own.cert", "gone", "KEY", "a file that can be read (No such file or directory)"),
        (
            "ca.pem",
            "own.cert",
            "other.key",
            "KEY",
            KEY_OF_THE_CERTIFICATE,
        ),
        (
            "ca.pem",
            "own.cert",
            "own.locked",
            "KEY",
            KEY_OF_THE_CERTIFICATE,
        ),
        (
            "ca.pem",
            "own.cert",
            None,
            "CERT",
            KEY_OF_THE_CERTIFICATE,
        ),
    ],
)
def test_a_file_that_does_not_hold_what_it_should_is_named(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    ca: str,
    cert: str | None,
    key: str | None,
    variable: str,
    allowed: str,
):
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, folder, ca, cert, key)
    value = {"CA": ca, "CERT": cert, "KEY": key}[variable]
    start = f"HEADRACE_KAFKA_{variable}='{folder / str(value)}' is not allowed: it must be {allowed}"
    assert str(refused.value).startswith(start)
    assert "\n" not in str(refused.value)


def test_a_key_without_its_certificate_is_refused(monkeypatch: pytest.MonkeyPatch, folder: Path):
    with pytest.raises(SettingsError, match="HEADRACE_KAFKA_CERT is not set: HEADRACE_KAFKA_KEY is the private key"):
        load(monkeypatch, folder, "ca.pem", None, "own.key")
