"""The admins of a project: a group that is made, renamed and deleted with it."""

from pilothouse.access.grants import Place, Subject
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.tenancy import Project, is_admins_name
from pilothouse.operations.audit import audit
from pilothouse.storage import built_in, people, project_admins
from pilothouse.storage.unit import Transaction


def put_creator_in(tx: Transaction, subject: Subject, project: Project, now: Instant) -> None:
    """Make the creator of a project one of its admins; the command line of this machine is nobody."""
    tell(tx, now, project.handle)
    if people.find(tx.connection, subject.id) is None:
        return
    for group_id, name in project_admins.list_groups(tx.connection, project.id):
        built_in.add_member(tx.connection, group_id, subject.id, now)
        place = Place(project_id=project.id)
        audit(tx, subject, "group.add-member", name, now, subject.username, after={"user": subject.username}, at=place)


def follow_name(tx: Transaction, subject: Subject, project: Project, was: str, now: Instant) -> None:
    """Rename the admins of a project with it, unless somebody gave them a name of their own."""
    for group_id, name in project_admins.list_groups(tx.connection, project.id):
        if is_admins_name(name, was):
            new = project_admins.rename(tx.connection, subject.organization_id, group_id, project.display_name)
            place = Place(project_id=project.id)
            audit(tx, subject, "group.update", name, now, before={"name": name}, after={"name": new}, at=place)
            tell(tx, now, project.handle)


def tell(tx: Transaction, now: Instant, detail: str) -> None:
    """Have everybody's holdings read anew."""
    tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=now, detail=detail))
