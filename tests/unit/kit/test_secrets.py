import os
import stat
import threading
from pathlib import Path

import pytest

from kit.secrets import DEVELOPMENT_PREFIX, SecretRefused, development_secret, random_secret, resolve_secret

GOOD = "g" * 40


def test_development_makes_a_secret_once_and_keeps_it_for_its_owner(tmp_path: Path) -> None:
    first = resolve_secret("CURSOR_KEY", None, production=False, data_dir=tmp_path)
    assert resolve_secret("CURSOR_KEY", "", production=False, data_dir=tmp_path) == first
    path = tmp_path / "secrets" / "CURSOR_KEY"
    assert path.read_text().strip() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["CURSOR_KEY"]


def test_two_starting_at_once_get_the_same_secret(tmp_path: Path) -> None:
    found: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(development_secret(tmp_path, "PEPPER"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_given_secret_is_used_as_it_is(tmp_path: Path) -> None:
    assert resolve_secret("PEPPER", "short", production=False, data_dir=tmp_path) == "short"
    assert resolve_secret("PEPPER", GOOD, production=True, data_dir=tmp_path) == GOOD
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("given", [None, "", "short", f"{DEVELOPMENT_PREFIX}{GOOD}"])
def test_production_refuses_a_missing_short_or_development_secret_by_its_setting(
    tmp_path: Path, given: str | None
) -> None:
    with pytest.raises(SecretRefused, match="PEPPER") as caught:
        resolve_secret("PEPPER", given, production=True, data_dir=tmp_path)
    assert GOOD not in str(caught.value)
    assert not (tmp_path / "secrets").exists()


def test_production_looks_at_every_one_of_several_keys(tmp_path: Path) -> None:
    with pytest.raises(SecretRefused, match="GATEWAY_KEYS"):
        resolve_secret("GATEWAY_KEYS", f"{GOOD},short", production=True, data_dir=tmp_path, separator=",")


def test_secrets_made_here_are_marked_long_and_different() -> None:
    one, other = random_secret(), random_secret()
    assert one != other
    assert one.startswith(DEVELOPMENT_PREFIX)
    assert len(one) >= 32 + len(DEVELOPMENT_PREFIX)


def test_file_that_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "PEPPER").touch()
    with pytest.raises(SecretRefused, match="empty"):
        development_secret(tmp_path, "PEPPER")
