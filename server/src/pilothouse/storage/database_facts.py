"""What the database says of itself."""

from sqlalchemy import Connection


def version_of(connection: Connection) -> str | None:
    """Tell the database's version as its driver learned it when it connected; None where it learns none."""
    told = getattr(connection.dialect, "server_version_info", None)
    return ".".join(str(part) for part in told) if told else None
