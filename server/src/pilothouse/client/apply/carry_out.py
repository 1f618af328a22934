"""Taking the steps of a plan, one request each, in order; the first that fails ends it."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from pilothouse.base.errors import NotFound
from pilothouse.client import documents as ask
from pilothouse.client.apply.alerts import saved_channel, saved_rule
from pilothouse.client.apply.model import Action, Grant, Step, Thing
from pilothouse.client.apply.present import Ids, schema_name
from pilothouse.client.graphql import Client

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was taken."""

    step: Step
    one_time_password: str | None = None
    """Of a person who was made just now: it is in this answer and nowhere else."""
    signing_secret: str | None = None
    """Of a webhook that was made just now and was given none: likewise."""


class Executor:
    """Takes steps. It learns the ids of what it makes as it goes."""

    def __init__(self, client: Client, ids: Ids, environ: Mapping[str, str] = os.environ) -> None:
        self._client = client
        self._environ = environ
        self._ids = ids
        self._by_thing: dict[Thing, Callable[[Step], str | None]] = {
            Thing.ENVIRONMENT: self._environment,
            Thing.PROJECT: self._project,
            Thing.INTEGRATION: self._integration,
            Thing.ROLE: self._role,
            Thing.USER: self._user,
            Thing.GROUP: self._group,
            Thing.MEMBERS: self._members,
            Thing.MAPPING: self._mapping,
            Thing.SSO_MAPPING: self._sso_mapping,
            Thing.ALERT_CHANNEL: self._alert_channel,
            Thing.ALERT_RULE: self._alert_rule,
        }

    def take(self, steps: tuple[Step, ...]) -> Iterator[Done]:
        """Take the steps and tell each when it is done.

        Raises: PilothouseError, in the server's words: then the steps told before it are done, and no other is
        """
        for step in steps:
            shown_once = self._by_thing[step.thing](step)
            if step.thing is Thing.ALERT_CHANNEL:
                yield Done(step=step, signing_secret=shown_once)
            else:
                yield Done(step=step, one_time_password=shown_once)

    def _environment(self, step: Step) -> None:
        if step.action is Action.CREATE:
            self._client.ask(ask.CREATE_ENVIRONMENT, input={"handle": step.key[0], **step.values})
        else:
            self._client.ask(ask.UPDATE_ENVIRONMENT, handle=step.key[0], input=step.values)

    def _project(self, step: Step) -> None:
        if step.action is Action.CREATE:
            self._client.ask(ask.CREATE_PROJECT, input={"handle": step.key[0], **step.values})
        else:
            self._client.ask(ask.UPDATE_PROJECT, handle=step.key[0], input=step.values)

    def _integration(self, step: Step) -> None:
        project, handle = step.key
        if step.action is Action.CREATE:
            self._client.ask(ask.CREATE_INTEGRATION, input={"project": project, "handle": handle, **step.values})
        else:
            self._client.ask(ask.UPDATE_INTEGRATION, project=project, handle=handle, input=step.values)

    def _role(self, step: Step) -> None:
        name = step.key[0]
        fields = step.was | step.values
        if step.action is Action.UPDATE:  # the whole role is sent: what did not change, too
            there = self._one(ask.ROLES, "roles", name)
            fields = {"description": there["description"], "permissions": there["permissions"], **step.values}
        wanted: Json = {"name": name, **fields, "permissions": [*map(schema_name, fields["permissions"])]}
        if step.action is Action.CREATE:
            self._ids.roles[name] = self._client.ask(ask.CREATE_ROLE, input=wanted)["createRole"]["id"]
        else:
            self._client.ask(ask.UPDATE_ROLE, id=self._role_id(name), input=wanted)

    def _user(self, step: Step) -> str | None:
        username = step.key[0]
        if step.action is Action.UPDATE:
            self._client.ask(ask.UPDATE_USER, id=self._user_id(username), input=step.values)
            return None
        wanted = {name: value for name, value in step.values.items() if name != "type"}
        made = self._client.ask(
            ask.CREATE_USER, input={"username": username, "kind": step.values["type"].upper(), **wanted}
        )["createUser"]
        self._ids.users[username] = made["user"]["id"]
        return made["oneTimePassword"]

    def _group(self, step: Step) -> None:
        wanted = {"name": step.key[0], **step.values}
        if step.action is Action.CREATE:
            made = self._client.ask(ask.CREATE_GROUP, input=wanted)["createGroup"]
            self._ids.groups[step.key[0]] = made["id"]
        else:
            self._client.ask(ask.UPDATE_GROUP, id=self._group_id(step.key[0]), input=wanted)

    def _members(self, step: Step) -> None:
        document = ask.ADD_MEMBERS if step.action is Action.ADD else ask.REMOVE_MEMBERS
        users = [self._user_id(username) for username in step.values["users"]]
        self._client.ask(document, group=self._group_id(step.key[0]), users=users)

    def _mapping(self, step: Step) -> None:
        grant = step.grant or Grant("")
        if step.action is Action.REMOVE:
            self._client.ask(ask.UNMAP_ROLE, id=self._ids.mappings[step.key[0], grant])
            return
        scope = {"project": grant.project, "integration": grant.integration, "environment": grant.environment}
        self._client.ask(
            ask.MAP_ROLE,
            input={"group": self._group_id(step.key[0]), "role": self._role_id(grant.role), "scope": scope},
        )

    def _sso_mapping(self, step: Step) -> None:
        if step.sso is not None:
            self._client.ask(
                ask.CREATE_SSO_MAPPING,
                input={
                    "value": step.sso.value,
                    "group": self._group_id(step.sso.group),
                    "issuer": step.sso.issuer,
                    "claim": step.sso.claim,
                },
            )

    def _alert_channel(self, step: Step) -> str | None:
        name = step.key[0]
        type_ = step.values.get("type") or self._ids.alert_channel_types[name]
        wanted = saved_channel(name, type_, step.values, self._environ)
        if step.action is Action.UPDATE:
            wanted["id"] = self._ids.alert_channels[name]
        saved = self._client.ask(ask.SAVE_ALERT_CHANNEL, input=wanted)["saveAlertChannel"]
        self._ids.alert_channels[name] = saved["channel"]["id"]
        return saved["signingSecret"]

    def _alert_rule(self, step: Step) -> None:
        key = (step.key[0], step.key[1], step.key[2], step.key[3])
        known = self._ids.alert_rules.get(key)
        wanted = saved_rule(key, {} if known is None else known[1], step.values, self._ids.alert_channels)
        self._client.ask(ask.SAVE_ALERT_RULE, input=wanted if known is None else {"id": known[0], **wanted})

    def _role_id(self, name: str) -> str:
        return self._ids.roles.get(name) or self._one(ask.ROLES, "roles", name)["id"]

    def _group_id(self, name: str) -> str:
        if name not in self._ids.groups:  # a project's own group came with it
            self._ids.groups[name] = self._one(ask.GROUPS, "groups", name)["id"]
        return self._ids.groups[name]

    def _user_id(self, username: str) -> str:
        return self._ids.users[username]

    def _one(self, document: str, path: str, name: str) -> Json:
        for node in self._client.pages(document, path, search=name):
            if node["name"] == name:
                return node
        raise NotFound(f"There is no {path.rstrip('s')} '{name}' any more.", fix="Plan again.")
