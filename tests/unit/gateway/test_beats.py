import asyncio

import pytest

from gateway.beats import Beats


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
class TestBeats:
    async def test_quiet_is_counted_from_the_first_look_at_a_beat(self) -> None:
        beats: Beats[str] = Beats()
        assert beats.idle_s("a", 1) == 0
        await asyncio.sleep(0.02)
        assert beats.idle_s("a", 1) >= 0.02
        assert beats.idle_s("a", 2) == 0
        await asyncio.sleep(0.02)
        beats.start_anew("a")
        assert beats.idle_s("a", 2) < 0.02

    async def test_what_a_look_does_not_hear_of_is_forgotten_unless_it_is_kept(self) -> None:
        beats: Beats[str] = Beats()
        for key in "abc":
            beats.idle_s(key, 1)
        beats.forget_others()
        beats.idle_s("a", 1)
        beats.keep("b")
        beats.forget_others()
        assert beats.known() == ["a", "b"]
