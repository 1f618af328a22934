"""What the places that lines come from are called, read once for each place."""

from collections.abc import Sequence

from pilothouse.api.log_formats import Handles
from pilothouse.storage import tenancy
from pilothouse.storage.unit import Connection, Store
from pilothouse.telemetry.model import LogLine


class HandleBook:
    """Finds the handles of projects, integrations and environments while lines go by.

    Cap: what there is of them. A name that changes meanwhile keeps its old form to the end.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._projects: dict[str | None, str] = {}
        self._integrations: dict[str | None, str] = {}
        self._environments: dict[str | None, str] = {}
        self._asked: set[str] = set()

    async def read(self, lines: Sequence[LogLine]) -> Handles:
        """Find what the places of these lines are called.

        Raises: Unavailable
        """
        origins = {line.origin for line in lines}
        projects = {one.project_id for one in origins if one.project_id is not None} - self._asked
        integrations = {one.integration_id for one in origins if one.integration_id is not None} - self._asked
        environments = {one.environment_id for one in origins if one.environment_id is not None} - self._asked
        if projects or integrations or environments:
            await self._store.read(lambda connection: self._note(connection, projects, integrations, environments))
            self._asked |= projects | integrations | environments
        return Handles(projects=self._projects, integrations=self._integrations, environments=self._environments)

    def _note(self, connection: Connection, projects: set[str], integrations: set[str], environments: set[str]) -> None:
        of_projects, of_integrations = tenancy.list_names(connection, projects, integrations)
        self._projects |= {id_: handle for id_, (handle, _) in of_projects.items()}
        self._integrations |= {id_: handle for id_, (handle, _) in of_integrations.items()}
        if environments:
            self._environments |= {one.id: one.handle for one in tenancy.all_environments(connection)}
