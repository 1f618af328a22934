"""Lists of runtimes that have no pages: of many, one asks for the first, and is told how many there are."""

from collections.abc import Sequence
from typing import Final

from pilothouse.api.graphql.views import RuntimeView
from pilothouse.base.errors import InvalidInput

RUNTIMES_SHOWN_MAX: Final = 500


def first_of(views: Sequence[RuntimeView], first: int | None) -> list[RuntimeView]:
    """Cut a list that has no pages.

    Raises: InvalidInput
    """
    if first is not None and not 1 <= first <= RUNTIMES_SHOWN_MAX:
        raise InvalidInput(
            f"A list of runtimes has 1 to {RUNTIMES_SHOWN_MAX} rows, not {first}.",
            field="first",
            fix=f"Ask for 1 to {RUNTIMES_SHOWN_MAX} rows.",
        )
    return list(views[: RUNTIMES_SHOWN_MAX if first is None else first])
