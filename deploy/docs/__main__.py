"""`python -m deploy.docs`: write the generated documents."""

from rich.console import Console

from deploy.docs.generate import GENERATED, write_generated


def main() -> None:
    changed = write_generated()
    for name in GENERATED:
        Console(highlight=False).print(f"{name}: {'written' if name in changed else 'unchanged'}")


if __name__ == "__main__":
    main()
