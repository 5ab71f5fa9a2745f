"""`python -m demo`: the main job on real input, over HTTP through the gateway alone. Status 0 if every step held."""

import sys

import httpx
from rich.console import Console

from demo import deletes, integrity, refusals, staking, trading
from demo.api import Api, check
from demo.cast import Stage
from demo.show import WIDTH_MIN, Show, StepFailedError
from demo.target import Target, target


def main() -> int:
    console = Console(highlight=False)
    if console.width < WIDTH_MIN:
        console = Console(highlight=False, width=WIDTH_MIN)
    show = Show(console)
    try:
        show.chapter("Platform")
        with target(show) as platform:
            play(show, platform)
    except StepFailedError as error:
        show.say(f"\n{error}", "red")
    except httpx.HTTPError as error:
        show.say(f"\n{type(error).__name__}: {error}", "red")
    except KeyboardInterrupt:
        show.say("\ninterrupted", "red")
    else:
        show.say(f"\nevery one of {show.steps} steps held, in {show.elapsed_s():.1f} s", "bold green")
        return 0
    show.say(f"the demo failed after {show.steps} steps", "bold red")
    return 1


def play(show: Show, platform: Target) -> None:
    with show.step("the admin signs in"):
        stage = Stage(Api(platform.base_url).signed_in(platform.admin_email, platform.admin_password))
    trading.import_markets(show, stage)
    show.chapter("Traders")
    for name in ("ada", "eve"):
        trading.link_account(show, trading.sign_up(show, stage, platform.base_url, name))
    trading.create_bots(show, stage)
    trading.feed(show, stage)
    trading.show_performance(show, stage)
    staking.open_pool(show, stage)
    staking.stake_and_claim(show, stage)
    refusals.show_refusals(show, stage)
    deletes.show_deletes(show, stage, platform)
    integrity.show_integrity(show, stage, platform)
    show.chapter("Audit")
    with show.step("every reference and the ledger") as step:
        status = platform.audit()
        check(status == 0, f"the audit ended with status {status}")
        step.note = "no orphan, every invariant holds"


if __name__ == "__main__":
    sys.exit(main())
