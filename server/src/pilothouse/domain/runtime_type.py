"""What kind of program a runtime is."""

from enum import StrEnum, unique


@unique
class RuntimeType(StrEnum):
    """Kind of a runtime; the values are the wire's."""

    PY = "PY"
    """A Python program through our bridge."""
    BI = "BI"
    """WSO2 Ballerina."""
    MI = "MI"
    """WSO2 Micro Integrator."""
