"""What cases ask the API for more than once."""

from pilothouse_conformance.runtime import Runtime
from pilothouse_conformance.verdict import Failed
from pilothouse_conformance.wire import Json, members
from pilothouse_conformance.world import Stage, handle_of

COMMAND = "id state reason action route attempts result queuedAt deliveredAt nextAttemptAt endedAt deadline"
_CHANGE = f"mutation ($input: ChangeArtifactInput!) {{ changeArtifact(input: $input) {{ waiting commands {{ {COMMAND} }} }} }}"
_LEVEL = f"mutation ($input: ChangeLogLevelInput!) {{ changeLogLevel(input: $input) {{ commands {{ {COMMAND} }} }} }}"
_STEERING = """query ($p: String!, $i: String!, $e: String!, $kind: SteerableKind, $name: String) {
  steering(project: $p, integration: $i, environment: $e) { artifacts(kind: $kind, search: $name, first: 20) {
    nodes { name aspects { aspect inSync desired { value version } } } } } }"""


def place(stage: Stage, runtime: Runtime) -> dict[str, Json]:
    """Give the place of a runtime as mutations want it."""
    return {
        "project": handle_of(runtime.project),
        "integration": handle_of(runtime.component),
        "environment": stage.options.environment,
    }


def switch(stage: Stage, runtime: Runtime, name: str, value: str, *, kind: str = "LISTENER") -> Json:
    """Desire that an artifact be ENABLED or DISABLED; gives the change."""
    wish = {**place(stage, runtime), "kind": kind, "name": name, "aspect": "STATE", "value": value}
    return stage.console.ask(_CHANGE, input=wish)["changeArtifact"]


def level(stage: Stage, runtime: Runtime, logger: str, value: str) -> tuple[Json, str | None]:
    """Desire a log level; gives the change, or the code with which it was refused."""
    data, refusal = stage.console.try_asking(_LEVEL, input={**place(stage, runtime), "logger": logger, "level": value})
    return members(data).get("changeLogLevel"), None if refusal is None else refusal.code or refusal.message


def command(stage: Stage, key: str) -> Json:
    """Look a command up.

    Raises: Failed, when it is not there
    """
    found = stage.console.ask(f"query ($id: ID!) {{ command(id: $id) {{ {COMMAND} }} }}", id=key)["command"]
    if found is None:
        raise Failed(f"the command {key} is not there")
    return found


def aspect(stage: Stage, runtime: Runtime, name: str, *, kind: str = "LISTENER", of: str = "STATE") -> Json:
    """Look up what is desired of an artifact, and whether it is so.

    Raises: Failed, when it cannot be steered
    """
    where = place(stage, runtime)
    found = stage.console.ask(
        _STEERING, p=where["project"], i=where["integration"], e=where["environment"], kind=kind, name=name
    )["steering"]
    for node in found["artifacts"]["nodes"] if found else ():
        for each in node["aspects"]:
            if node["name"] == name and each["aspect"] == of:
                return each
    raise Failed(f"{name} cannot be steered")


def ask(stage: Stage, runtime_key: str, question: str = "LOGGERS") -> Json:
    """Ask a runtime something that its heartbeats do not carry; gives the command."""
    query = f"mutation ($input: AskRuntimeInput!) {{ askRuntime(input: $input) {{ {COMMAND} }} }}"
    return stage.console.ask(query, input={"runtime": runtime_key, "question": question})["askRuntime"]


def trigger(stage: Stage, runtime_key: str, name: str) -> Json:
    """Run a task now; gives the command."""
    query = f"mutation ($input: TriggerArtifactInput!) {{ triggerArtifact(input: $input) {{ {COMMAND} }} }}"
    return stage.console.ask(query, input={"runtime": runtime_key, "kind": "TASK", "name": name})["triggerArtifact"]


def workflow(stage: Stage, runtime: Runtime, operation: str, params: str = "{}") -> Json:
    """Send a workflow operation; gives the command."""
    query = f"mutation ($input: WorkflowOperationInput!) {{ runWorkflowOperation(input: $input) {{ {COMMAND} }} }}"
    wish = {**place(stage, runtime), "operation": operation, "params": params}
    return stage.console.ask(query, input=wish)["runWorkflowOperation"]
