"""Where secrets come from. In production every one must be given; in development it is made once and kept in a file."""

import os
import secrets as random
from collections.abc import Callable
from pathlib import Path

DEVELOPMENT_PREFIX = "development-"
LENGTH_MIN = 32
_FILE_BYTES_MAX = 64 * 1024


class SecretRefused(Exception):  # noqa: N818 (it says what was done)
    """A secret is missing or is a default. The message names the setting, never the value."""


def random_secret() -> str:
    """256 random bits, marked so that production refuses them."""
    return DEVELOPMENT_PREFIX + random.token_urlsafe(32)


def resolve_secret(
    setting: str,
    given: str | None,
    *,
    production: bool,
    data_dir: Path,
    file_name: str | None = None,
    separator: str | None = None,
    make: Callable[[], str] = random_secret,
) -> str:
    """The secret that a process uses for `setting`.

    In production `given` is required: SecretRefused if it is missing, shorter than LENGTH_MIN or made for development.
    Else a missing one is read from DATA_DIR/secrets/<file_name or setting>, which is made first if nobody has made it.
    """
    if given:
        if production:
            check_secret(setting, given, separator=separator)
        return given
    if production:
        raise SecretRefused(f"{setting} is not set; in production every secret must be given.")
    return development_secret(data_dir, file_name or setting, make)


def check_secret(setting: str, value: str, *, separator: str | None = None) -> None:
    """Raises SecretRefused for a value that production must not run with. `separator` stands between several keys."""
    for part in value.split(separator) if separator else [value]:
        if part.startswith(DEVELOPMENT_PREFIX):
            raise SecretRefused(f"{setting} was made for development; production needs one of its own.")
        if len(part) < LENGTH_MIN:
            raise SecretRefused(f"{setting} is shorter than {LENGTH_MIN} characters.")


def development_secret(data_dir: Path, file_name: str, make: Callable[[], str] = random_secret) -> str:
    """The secret in DATA_DIR/secrets/<file_name>, made by whoever comes first; every other process reads the same
    one."""
    folder = data_dir / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / file_name
    if not path.exists():
        _create_once(path, make())
    value = path.read_bytes()[:_FILE_BYTES_MAX].decode("utf-8").strip()
    if not value:
        raise SecretRefused(f"{path} is empty; remove it and start again.")
    return value


def _create_once(path: Path, value: str) -> None:
    """Written beside and linked into place, so that a reader never sees half a secret and the first of two wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{random.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
