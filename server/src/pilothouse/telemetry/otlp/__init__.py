"""OpenTelemetry's protocol, from protobuf and from JSON, to records."""
