"""The form of JWT_SIGNING_KEYS."""

import base64
import binascii

KEYS_MAX = 10
SEED_BYTES = 32


def parse_seeds(text: str) -> tuple[bytes, ...]:
    """The seeds of Ed25519 keys: base64url of 32 bytes each, with commas between; the first one signs.

    Raises ValueError with the position of the bad one, never with its value.
    """
    parts = text.split(",")
    if len(parts) > KEYS_MAX:
        raise ValueError(f"at most {KEYS_MAX} keys are taken")
    seeds = tuple(_seed(part.strip(), place) for place, part in enumerate(parts, start=1))
    if len(set(seeds)) != len(seeds):
        raise ValueError("a key is given twice")
    return seeds


def _seed(part: str, place: int) -> bytes:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != SEED_BYTES:
        raise ValueError(f"key {place} is not the base64url form of {SEED_BYTES} bytes")
    return raw
