"""Commands as calls of Micro Integrator's management API; the same calls go directly and through the tunnel."""

import msgspec

from pilothouse.domain.commands import Command, CommandAction
from pilothouse.domain.mi_users import NewUser
from pilothouse.management import calls
from pilothouse.management.calls import ManagementCall
from pilothouse.management.failures import CallNotSupported


class _Asked(msgspec.Struct):
    kind: str | None = None
    name: str | None = None
    type: str | None = None
    """Of a template: `endpoint` or `sequence`."""


def call_for(command: Command, opened: str | None = None) -> ManagementCall:  # noqa: C901, PLR0911, PLR0912 - one case an action
    """Tell the call that carries out a command.

    opened: the payload of a sealed one, opened
    Raises: CallNotSupported, InvalidInput
    """
    kind = "" if command.kind is None else command.kind.value
    match command.action:
        case CommandAction.START | CommandAction.STOP:
            return calls.set_state(kind, command.name, enabled=command.action is CommandAction.START)
        case CommandAction.ENABLE_TRACING | CommandAction.DISABLE_TRACING:
            return calls.set_tracing(kind, command.name, enabled=command.action is CommandAction.ENABLE_TRACING)
        case CommandAction.ENABLE_STATISTICS | CommandAction.DISABLE_STATISTICS:
            return calls.set_statistics(kind, command.name, enabled=command.action is CommandAction.ENABLE_STATISTICS)
        case CommandAction.SET_LOGGER_LEVEL:
            return calls.set_logger_level(command.name, command.value or "")
        case CommandAction.TRIGGER:
            return calls.trigger_task(command.name)
        case CommandAction.PROBE:
            return calls.list_loggers()
        case CommandAction.LIST_LOGGERS:
            return calls.list_loggers(_asked(command).name or "")
        case CommandAction.LIST_LOG_FILES:
            return calls.list_log_files(_asked(command).name or "")
        case CommandAction.READ_LOG_FILE:
            return calls.read_log_file(_asked(command).name or "")
        case CommandAction.LIST_REGISTRY:
            return calls.list_registry(_asked(command).name or "")
        case CommandAction.READ_REGISTRY_FILE:
            return calls.read_registry_file(_asked(command).name or "")
        case CommandAction.REGISTRY_PROPERTIES:
            return calls.registry_properties(_asked(command).name or "")
        case CommandAction.LIST_USERS:
            return calls.list_users()
        case CommandAction.ADD_USER:
            return calls.add_user(msgspec.json.decode(opened or "{}", type=NewUser))
        case CommandAction.REMOVE_USER:
            return calls.remove_user(command.name)
        case CommandAction.READ_SOURCE:
            asked = _asked(command)
            return calls.read_source(asked.kind or "", asked.name or "", asked.type)
        case CommandAction.RESTART | CommandAction.RESET_LOGGER_LEVEL | CommandAction.WORKFLOW:
            raise CallNotSupported(
                f"Micro Integrator's management API knows no {command.action.value}.", fix="Use what it offers."
            )


def _asked(command: Command) -> _Asked:
    return msgspec.json.decode(command.payload or "{}", type=_Asked)
