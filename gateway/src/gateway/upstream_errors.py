"""What can go wrong between the gateway and a service. The difference that matters is whether the request was sent."""


class UpstreamError(Exception):
    """The service gave no answer that can be passed on. The message is for logs and problem details; it holds no value
    that a client sent."""


class NotSentError(UpstreamError):
    """No byte of the request left: it may be sent again, to this address or another."""


class AnswerLostError(UpstreamError):
    """The connection ended after the request had gone: whether it was carried out is unknown, so it is not repeated."""


class BadAnswerError(UpstreamError):
    """What came back is no HTTP answer, or one beyond a limit."""


class AnswerTimeoutError(UpstreamError):
    """No answer within the request's deadline."""


class ContextRefusedError(UpstreamError):
    """The service refuses what the gateway signs. It has done nothing."""

    def __init__(self) -> None:
        super().__init__("it refuses what the gateway signs: compare their clocks, and GATEWAY_KEYS on both sides")


class OtherVersionError(UpstreamError):
    """The service runs a version that does not know what it was asked. It has done nothing."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"its replicas are of another version than its document{detail}")
