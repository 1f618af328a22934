"""Reading what stands in an address, by what a route says may stand there."""

from collections.abc import Sequence

from pilothouse.api.rest_routes import Parameter
from pilothouse.base.errors import InvalidInput

VALUES_MAX = 200
"""Names and values of one address."""


class Query:
    """What stood in an address, checked."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)

    def all(self, name: str) -> list[str]:
        """Give every value of a name."""
        return [value for told, value in self.pairs if told == name]

    def one(self, name: str) -> str | None:
        """Give the value of a name that stands there once at most."""
        return next((value for told, value in self.pairs if told == name), None)

    def flag(self, name: str) -> bool | None:
        """Give the value of a name that is true or false; None when it is not there."""
        value = self.one(name)
        return None if value is None else value == "true"


def read_query(pairs: Sequence[tuple[str, str]], parameters: Sequence[Parameter]) -> Query:
    """Check names and values; an empty value is none.

    Raises: InvalidInput
    """
    by_name = {each.name: each for each in parameters}
    told = [(name, value) for name, value in pairs if value]
    if len(pairs) > VALUES_MAX:
        raise InvalidInput(f"An address has at most {VALUES_MAX} names and values.", fix="Ask for less at once.")
    for name, _ in pairs:
        if name not in by_name:
            raise InvalidInput(
                f"There is no parameter '{name[:40]}'.", field=name[:40], fix=f"There are {', '.join(by_name)}."
            )
    for name, value in told:
        known = by_name[name]
        if known.choices and value not in known.choices:
            raise InvalidInput(
                f"'{value[:40]}' is none of its values.", field=name, fix=f"Write one of {', '.join(known.choices)}."
            )
        if not known.many and sum(name == other for other, _ in told) > 1:
            raise InvalidInput("It is there more than once.", field=name, fix="Write it once.")
    return Query(told)
