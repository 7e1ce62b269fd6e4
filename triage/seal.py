"""Owns sealing: words and files that only the holder of a key can read, and the change of keys; refuses to keep a key.

The format is age (age-encryption.org/v1): authenticated, so that a flipped bit is refused,
and readable with the `age` command where this program is not at hand.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pyrage
from pyrage import x25519

MAGIC = b"age-encryption.org/"  # what every sealed file begins with


class SealError(Exception):
    """A key that is none, or something sealed that no key here opens; the text never holds a key."""


@dataclass(frozen=True)
class Keys:
    """`identities` open what was sealed; `recipients` say for whom new things are sealed, at least for the newest."""

    identities: tuple[x25519.Identity, ...] = ()
    recipients: tuple[x25519.Recipient, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything can be sealed."""
        return bool(self.recipients)


NO_KEYS = Keys()


def new_key() -> str:
    """Return a fresh secret key."""
    return str(x25519.Identity.generate())


def data_keys(secrets: str) -> Keys:
    """Read secret keys, newest first, apart by blanks or commas: all open, the newest seals.

    Raises SealError naming the place of what is no key.
    """
    identities = []
    for place, word in enumerate(_words(secrets), 1):
        try:
            identities.append(x25519.Identity.from_str(word))
        except (pyrage.IdentityError, UnicodeError):
            raise SealError(f"key {place} is not an age secret key (`triage key new` makes one)") from None
    return Keys(tuple(identities), tuple(identity.to_public() for identity in identities[:1]))


def with_recipients(keys: Keys, public: str) -> Keys:
    """Return `keys` that seal for the holders of these public keys too. Raises SealError."""
    found = []
    for place, word in enumerate(_words(public), 1):
        try:
            found.append(x25519.Recipient.from_str(word))
        except (pyrage.RecipientError, UnicodeError):
            raise SealError(f"key {place} is not an age public key (they begin with age1)") from None
    return Keys(keys.identities, (*keys.recipients, *found))


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


def seal(data: bytes, keys: Keys) -> bytes:
    """Return `data` sealed. Raises SealError without a key."""
    if not keys:
        raise SealError("there is no key to seal with")
    return bytes(pyrage.encrypt(data, keys.recipients))


def unseal(sealed: bytes, keys: Keys) -> bytes:
    """Return what was sealed. Raises SealError when no key opens it or it was altered."""
    try:
        return bytes(pyrage.decrypt(sealed, keys.identities))
    except pyrage.DecryptError:
        raise SealError("no key opens it, or it was altered") from None


def seal_file(source: Path, target: Path, keys: Keys) -> None:
    """Write a sealed copy of a file. Raises SealError or OSError."""
    if not keys:
        raise SealError("there is no key to seal with")
    try:
        with source.open("rb") as plain, target.open("wb") as sealed:
            pyrage.encrypt_io(plain, sealed, keys.recipients)
            sealed.flush()
            os.fsync(sealed.fileno())
    except pyrage.EncryptError as error:  # what the disk said, wrapped
        raise OSError(f"{source}: {error}") from None


def unseal_file(source: Path, target: Path, keys: Keys) -> None:
    """Write what a sealed file holds. Raises SealError when no key opens it or a bit of it was changed."""
    try:
        with source.open("rb") as sealed, target.open("wb") as plain:
            pyrage.decrypt_io(sealed, plain, keys.identities)
    except (pyrage.DecryptError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the disk's own trouble
            raise
        if "[Errno" in str(error):  # the same, wrapped
            raise OSError(f"{source}: {error}") from None
        raise SealError("no key opens it, or it was altered") from None


def is_sealed(path: Path) -> bool:
    """Tell whether a file begins as sealed ones do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
