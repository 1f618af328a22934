"""The wheel carries the built console, the schema and the example; an editable installation finds them in the source tree."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TREE = Path(__file__).parent.parent
_BUNDLED = {
    _TREE / "console" / "dist": "pilothouse/_bundled/console",
    _TREE / "contracts" / "schema.graphql": "pilothouse/_bundled/schema.graphql",
    _TREE / "examples" / "order-service" / "order_service": "pilothouse/_bundled/order_service",
}


class Bundle(BuildHookInterface):
    """Puts what lies outside of the package into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; an incomplete wheel is not built."""
        if version == "editable":
            return
        for source, target in _BUNDLED.items():
            if not source.exists():
                raise FileNotFoundError(f"{source} is missing: build the wheel with `make wheels` in the source tree.")
            build_data["force_include"][str(source)] = target
