"""Keys and values of OpenTelemetry's attributes, as hypothesis makes them up."""

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from pilothouse.telemetry.otlp.naming import RUNTIME_IDS

PLAIN = st.one_of(
    st.text(max_size=200).map(lambda value: AnyValue(string_value=value)),
    st.booleans().map(lambda value: AnyValue(bool_value=value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: AnyValue(double_value=value)),
)
KEYS = st.text(min_size=1, max_size=20).filter(lambda key: key not in RUNTIME_IDS)


def listed(values: list[AnyValue]) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(values)
    return value


def mapped(values: dict[str, AnyValue]) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.values.extend(KeyValue(key=key, value=one) for key, one in values.items())
    return value


VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(listed), st.dictionaries(KEYS, inner, max_size=3).map(mapped)
    ),
    max_leaves=5,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=5).map(
    lambda attributes: [KeyValue(key=key, value=value) for key, value in attributes.items()]
)
