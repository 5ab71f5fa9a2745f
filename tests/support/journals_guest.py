"""The journals service beside a platform: how it is started, and who consents to its references."""

import os
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
    folders = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Guest(JOURNALS, (sys.executable, "-m", JOURNALS), {"PYTHONPATH": folders})
