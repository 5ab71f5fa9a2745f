"""`python -m deploy.secrets > .env`: fresh secrets for docker-compose.yml, each made for this file alone."""

import secrets
import sys

RANDOM_BYTES = 32


def fresh_secrets() -> dict[str, str]:
    """A value for every secret that docker-compose.yml asks for. JWT_SIGNING_KEYS is an Ed25519 seed."""
    random = (
        "JWT_SIGNING_KEYS",
        "EXCHANGE_KEY_PEPPER",
        "CURSOR_KEY",
        "USERS_GATEWAY_KEYS",
        "BOTS_GATEWAY_KEYS",
        "STAKING_GATEWAY_KEYS",
        "ADMIN_PASSWORD",
    )
    return {"ADMIN_EMAIL": "admin@omnitrade.example", **{name: secrets.token_urlsafe(RANDOM_BYTES) for name in random}}


def main() -> None:
    if sys.stdout.isatty():
        sys.stderr.write(
            "these belong in a file that only you can read: (umask 077; python -m deploy.secrets > .env)\n"
        )
    sys.stdout.writelines(f"{name}={value}\n" for name, value in fresh_secrets().items())


if __name__ == "__main__":
    main()
