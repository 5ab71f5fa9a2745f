"""`python -m journals` serves until SIGTERM or SIGINT."""

from journals.settings import JournalsSettings
from kit.service import run

if __name__ == "__main__":
    run("journals.app:make", JournalsSettings.load())
