"""Rows on reads: the gateway beside nginx and beside the usual gateway."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench import doors
from bench.load import latencies, load
from bench.profiles import under
from bench.run import Run
from bench.servers import Server
from bench.stage import Stage
from bench.table import Goal, Row, explain, interleaved

CONNECTIONS = 32
CONSTANT_PATH = "/v1/constant"
LIVE_PATH = "/health/live"
LATENCY_SECONDS = 5.0


@dataclass
class Door:
    """One way to the upstream, with the processor time its requests have cost so far."""

    run: Run
    server: Server
    path: str
    headers: Callable[[], dict[str, str]] = dict
    cpu_seconds: float = 0.0
    answered: int = 0

    def rate(self) -> float:
        before = self.server.cpu_seconds()
        rate = load(
            self.server.url + self.path, seconds=self.run.seconds, connections=CONNECTIONS, headers=self.headers()
        )
        self.cpu_seconds += self.server.cpu_seconds() - before
        self.answered += rate.answered
        if rate.answered == 0:
            raise RuntimeError(f"{self.server.url}{self.path} answered nothing but refusals")
        return rate.per_second

    @property
    def cpu_per_request(self) -> float:
        return self.cpu_seconds / self.answered


def constant_rows(run: Run) -> list[Row]:
    """With an upstream that costs next to nothing, so that the doors themselves are measured."""
    usual = Row("read a constant through the gateway, requests/s", "FastAPI + httpx pass-through", Goal(at_least=8))
    processor = Row("the same, gateway CPU per request", "nginx's", Goal(at_most=6))
    with ExitStack() as stack:
        upstream = stack.enter_context(doors.constant(LIVE_PATH))
        port = int(upstream.url.rsplit(":", 1)[1])
        ours = Door(run, stack.enter_context(doors.gateway(run, port, CONSTANT_PATH)), CONSTANT_PATH)
        theirs = Door(run, stack.enter_context(doors.nginx(run, port, CONSTANT_PATH)), CONSTANT_PATH)
        plain = Door(run, stack.enter_context(doors.passthrough(port, CONSTANT_PATH)), CONSTANT_PATH)
        for our_rate, _, plain_rate in interleaved(run.rounds, ours.rate, theirs.rate, plain.rate):
            usual.take(our_rate / plain_rate)
            usual.notes = f"{our_rate:.0f}/s against {plain_rate:.0f}/s in the last round"
        processor.take(ours.cpu_per_request / theirs.cpu_per_request)
        processor.notes = f"{ours.cpu_per_request * 1e6:.0f} µs against {theirs.cpu_per_request * 1e6:.0f} µs"
        return explain([usual, processor], lambda: under({"gateway": ours.server.process.pid}, ours.rate))


def read_rows(run: Run, stage: Stage) -> list[Row]:
    """One bot, read through the gateway and through others that get a context ready-made."""
    proxied = Row("read one bot through the gateway, requests/s", "nginx proxying the same service", Goal(at_least=0.7))
    usual = Row("the same", "FastAPI + httpx pass-through", Goal(at_least=2.5))

    def context() -> dict[str, str]:
        return stage.context("bots", "GET", stage.bot_path)

    with ExitStack() as stack:
        port = stage.port("bots")
        theirs = Door(run, stack.enter_context(doors.nginx(run, port, LIVE_PATH)), stage.bot_path, context)
        plain = Door(run, stack.enter_context(doors.passthrough(port, LIVE_PATH)), stage.bot_path, context)

        def ours() -> float:
            address = stage.gateway_url + stage.bot_path
            rate = load(address, seconds=run.seconds, connections=CONNECTIONS, headers=stage.bearer())
            return rate.per_second

        for our_rate, their_rate, plain_rate in interleaved(run.rounds, ours, theirs.rate, plain.rate):
            proxied.take(our_rate / their_rate)
            usual.take(our_rate / plain_rate)
            proxied.notes = f"{our_rate:.0f}/s against {their_rate:.0f}/s in the last round"
            usual.notes = f"{our_rate:.0f}/s against {plain_rate:.0f}/s in the last round"
    rows = [proxied, usual, *_latency_rows(run, stage, our_rate / 2)]
    return explain(rows, lambda: under(stage.pids("gateway", "bots"), ours))


def _latency_rows(run: Run, stage: Stage, per_second: float) -> list[Row]:
    """Both ways are asked in turn, so each gets half of the rate that the gateway takes at most."""
    half = Row("added latency at half load, p50", "direct call", Goal(at_most=0.5, unit="ms"))
    tail = Row("the same, p99", "direct call", Goal(at_most=2, unit="ms"))
    urls = {"gateway": stage.gateway_url + stage.bot_path, "direct": stage.service_url("bots") + stage.bot_path}
    for _ in range(run.rounds):
        headers = {"gateway": stage.bearer(), "direct": stage.context("bots", "GET", stage.bot_path)}
        taken = latencies(urls, per_second=per_second / 2, seconds=LATENCY_SECONDS, headers=headers)
        half.take(taken["gateway"].p50 - taken["direct"].p50)
        tail.take(taken["gateway"].p99 - taken["direct"].p99)
        half.notes = (
            f"{taken['gateway'].p50:.2f} ms against {taken['direct'].p50:.2f} ms at {per_second:.0f} requests/s"
        )
        tail.notes = f"{taken['gateway'].p99:.2f} ms against {taken['direct'].p99:.2f} ms"
    return [half, tail]
