"""Email addresses as sign-in names."""

import re
import unicodedata

EMAIL_LENGTH_MAX = 254
LOCAL_LENGTH_MAX = 64

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalise_email(raw: str) -> str:
    """The one form in which an address is stored, compared and shown.

    Lower case throughout, without surrounding blanks, the domain in its ASCII form. The local part is an ASCII dot-atom
    (RFC 5321 §4.1.2 without quoted strings): look-alike letters would make two accounts that a person can't tell apart.
    Raises ValueError with the reason.
    """
    local, at, domain = unicodedata.normalize("NFKC", raw).strip().lower().rpartition("@")
    if not at:
        raise ValueError("an email address has the form name@domain")
    if len(local) > LOCAL_LENGTH_MAX or not _LOCAL.fullmatch(local):
        raise ValueError("the part before the @ is not a valid mailbox name")
    domain = _ascii_domain(domain)
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("the part after the @ is not a valid domain")
    if labels[-1].isdigit():
        raise ValueError("the part after the @ is an address, not a domain")
    normalised = f"{local}@{domain}"
    if len(normalised) > EMAIL_LENGTH_MAX:
        raise ValueError(f"an email address has at most {EMAIL_LENGTH_MAX} characters")
    return normalised


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("the part after the @ is not a valid domain") from None
