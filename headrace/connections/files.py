"""PEM files and files that hold a secret, read so that what is wrong with one has a name."""

import ssl
from pathlib import Path
from typing import NamedTuple, NoReturn

from pydantic import SecretStr

from headrace.connections.addresses import not_allowed, not_set
from headrace.errors import SettingsError


class PemFiles(NamedTuple):
    """What a client trusts (the system's authorities where there is no `ca`), and who it says that it is."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class PemNames(NamedTuple):
    """What each of the files is set by."""

    ca: str
    cert: str
    key: str


class Hidden(str):
    """A secret among a client's options, which some clients print to their log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def revealed(secret: SecretStr | None) -> Hidden | None:
    """A secret as a client takes it."""
    return None if secret is None else Hidden(secret.get_secret_value())


def tls_context(files: PemFiles, names: PemNames) -> ssl.SSLContext:
    """A client's TLS.

    Raises:
        SettingsError: naming the file that cannot be read or holds something else.
    """
    context = trusting(files.ca, names.ca)
    if files.cert is None:
        if files.key is not None:
            raise not_set(names.cert, f"{names.key} is the private key of a certificate")
        return context
    for name, path in ((names.cert, files.cert), (names.key, files.key)):
        if path is not None:
            _readable(name, path)
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_passphrase)
    except (ssl.SSLError, _Passphrase):
        name, path = (names.key, files.key) if files.key is not None else (names.cert, files.cert)
        what = "a PEM file with the private key of the certificate, without a passphrase"
        raise not_allowed(name, path, f"{what} in {names.cert}={files.cert}") from None
    return context


def trusting(ca: Path | None, name: str) -> ssl.SSLContext:
    """TLS that trusts whom `ca` names, without a certificate of its own.

    Raises:
        SettingsError: it cannot be read or holds no certificate.
    """
    if ca is not None:
        _readable(name, ca)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise not_allowed(name, ca, "a PEM file with the certificates to trust") from error


def secret(variable: str, value: SecretStr | None, file: Path | None) -> SecretStr | None:
    """A secret as it is set, or what its file holds.

    Raises:
        SettingsError: both are set, or the file holds no secret.
    """
    if file is None:
        return value if value is not None and value.get_secret_value() else None
    name = f"{variable}_FILE"
    if value is not None:
        raise SettingsError(f"{variable} and {name} are both set: set one of them.")
    text = _readable(name, file).rstrip("\r\n")
    if not text or "\n" in text:
        raise not_allowed(name, file, "a file that holds the secret in one line")
    return SecretStr(text)


def _readable(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "it cannot be read") if isinstance(error, OSError) else "it is no text"
        raise not_allowed(name, path, f"a file that can be read ({why})") from error


class _Passphrase(Exception):
    """Asked for a passphrase, which nobody is there to type."""


def _no_passphrase() -> NoReturn:
    raise _Passphrase
