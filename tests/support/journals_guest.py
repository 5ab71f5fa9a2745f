"""The journals service beside a platform: how it is started, and who consents to its references."""

import sys
from pathlib import Path

from parts import Guest

JOURNALS = "journals"
CONSENT = {
    "users": {"REFERENCE_CONSENT": "users=bots,staking,journals exchange_accounts=bots"},
    "bots": {"REFERENCE_CONSENT": "trading_bots=staking,journals"},
}


def journals_guest() -> Guest:
    """Its package is not installed: it is found beside this file."""
    return Guest(JOURNALS, (sys.executable, "-m", JOURNALS), {"PYTHONPATH": str(Path(__file__).parent)})
