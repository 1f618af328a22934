"""Lists of values for PostgreSQL, each as one value.

SQLAlchemy writes `IN` with a place for each value, and so another text for each length of a list: it writes that text anew each time,
we bring it to the server's form, and the server reads it. `= ANY` with an array is the same text for every length, and is planned alike.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import BindParameter, Dialect, Integer, String
from sqlalchemy.dialects.postgresql.pg8000 import PGCompiler_pg8000
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine, UserDefinedType

_LISTED: Final = {Integer: "BIGINT", String: "VARCHAR"}
"""What is asked for by lists, and as what it is sent. Of other types SQLAlchemy's way stays."""


def array_of_texts(values: Sequence[str | None]) -> str:
    """Write texts and nulls as PostgreSQL writes an array; the driver would do so value by value."""
    together = "".join([one for one in values if one is not None])
    if '"' in together or "\\" in together:
        written = ["NULL" if one is None else _quoted(one) for one in values]
    else:  # as nearly always
        written = ["NULL" if one is None else f'"{one}"' for one in values]
    return f"{{{','.join(written)}}}"


def array_of_numbers(values: Sequence[float | None]) -> str:
    """Write numbers and nulls as PostgreSQL writes an array: JSON's way is the same but for its brackets, and written at once."""
    return f"{{{msgspec.json.encode(list(values))[1:-1].decode()}}}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Array(UserDefinedType[Sequence[Any]]):  # Any: values of columns
    """An array of a type, as a text."""

    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:  # Any: of a value
        self.of = of

    def bind_processor(self, dialect: Dialect) -> Callable[..., str]:
        """Write each value as it is stored."""
        to = self.of.dialect_impl(dialect).bind_processor(dialect)
        array: Callable[[Sequence[Any]], str]  # Any: values of columns
        array = array_of_texts if isinstance(_stored(self.of), String) else array_of_numbers

        def write(value: Sequence[Any] | None) -> str:  # Any: values of columns
            values = value or ()
            return array(values if to is None else [to(one) for one in values])

        return write


class WithArrays(PGCompiler_pg8000):
    """Statements as SQLAlchemy writes them for PostgreSQL, but for lists."""

    def visit_in_op_binary(self, binary: Any, _operator: Any, **kw: Any) -> str:  # Any: SQLAlchemy's
        """Ask whether a value is one of some."""
        listed: Any = binary.right  # Any: a list, a question, or several values
        if (name := _name_of(binary, kw)) is None:
            return self._generate_generic_binary(binary, " IN ", **kw)
        whole = listed._clone(maintain_key=True)  # noqa: SLF001 - as SQLAlchemy does when it makes a list of a value
        whole.expanding, whole.type = False, _Array(_type_of(binary))
        return f"({self.process(binary.left, **kw)} = ANY (CAST({self.process(whole, **kw)} AS {name}[])))"


def _name_of(binary: Any, kw: dict[str, Any]) -> str | None:  # Any: SQLAlchemy's
    """Name the type of what is listed; None where it is written into the statement, or is nothing that we list."""
    listed: Any = binary.right
    if not isinstance(listed, BindParameter) or not listed.expanding:
        return None
    if listed.literal_execute or kw.get("literal_binds") or kw.get("literal_execute"):
        return None
    stored = _stored(_type_of(binary))
    return next((name for type_, name in _LISTED.items() if isinstance(stored, type_)), None)


def _stored(of: TypeEngine[Any]) -> TypeEngine[Any]:  # Any: of a value
    return of.impl_instance if isinstance(of, TypeDecorator) else of


def _type_of(binary: Any) -> TypeEngine[Any]:  # Any: SQLAlchemy's
    """Tell the type of each value: what was given by name alone has that of what it is compared with."""
    return binary.left.type if isinstance(binary.right.type, NullType) else binary.right.type
