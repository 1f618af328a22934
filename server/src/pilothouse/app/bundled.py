"""What travels with the package: the built console, the schema, the example integration.

In a wheel they lie in `_bundled/`; in a source tree where they are made.
"""

from pathlib import Path

from pilothouse.base.errors import CannotStart

_PACKAGE = Path(__file__).parent.parent
_BUNDLED = _PACKAGE / "_bundled"
_SOURCE_TREE = _PACKAGE.parent.parent.parent


def schema_path() -> Path:
    """Find the GraphQL schema.

    Raises: CannotStart
    """
    found = _first(_BUNDLED / "schema.graphql", _SOURCE_TREE / "contracts" / "schema.graphql")
    if found is None:
        raise CannotStart("The GraphQL schema is missing from this installation.", fix="Install the package again.")
    return found


def console_folder() -> Path | None:
    """Find the built console; None when it was not built."""
    found = _first(_BUNDLED / "console" / "index.html", _SOURCE_TREE / "console" / "dist" / "index.html")
    return None if found is None else found.parent


def example_folder() -> Path | None:
    """Find the folder that the example's package `order_service` lies in; None when it is not there."""
    found = _first(
        _BUNDLED / "order_service" / "__main__.py",
        _SOURCE_TREE / "examples" / "order-service" / "order_service" / "__main__.py",
    )
    return None if found is None else found.parent.parent


def _first(*candidates: Path) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)
