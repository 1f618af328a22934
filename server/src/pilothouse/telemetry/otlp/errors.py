"""What is wrong with a request in OpenTelemetry's protocol."""

from pilothouse.base.errors import Refused


class OtlpUnreadable(Refused):
    """The body is no request of OpenTelemetry's protocol."""

    code = "OTLP_UNREADABLE"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The body is no request of OpenTelemetry's protocol: {why}.",
            fix="Look at the exporter: it speaks OTLP over HTTP, and its content type says whether in protobuf or JSON.",
        )


class OtlpTooMuch(Refused):
    """The request holds more than is read at once."""

    code = "OTLP_TOO_MUCH"

    def __init__(self, than: str) -> None:
        super().__init__(f"The request holds more than {than}.", fix="Send smaller batches.")
