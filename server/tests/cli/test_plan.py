"""The way from what is there to what is wanted."""

import copy

import msgspec
import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from organization import NEW_RULE, Refused, take
from pilothouse.client.apply.admins import PROJECT_ADMIN, foresee
from pilothouse.client.apply.export import documents_of, to_yaml
from pilothouse.client.apply.model import (
    Action,
    AlertChannel,
    AlertRule,
    Environment,
    Grant,
    Group,
    Integration,
    Plan,
    Project,
    Role,
    SsoMapping,
    State,
    Thing,
    User,
)
from pilothouse.client.apply.plan import make_plan
from pilothouse.client.apply.reading import Document, read_texts
from pilothouse.client.errors import FileInvalid

EXAMPLES = 40
HANDLES = st.sampled_from(["alpha", "beta", "gamma"])
TEXTS = st.sampled_from(["", "one", "two"])
NAMES = st.sampled_from(["One", "Two", "Three"])
GROUPS = ["Red", "Blue", "One Admins", "Two Admins", "Two Admins 2"]
PERMISSIONS = ["integration_mgt:view", "integration_mgt:edit", "project_mgt:view"]
SUPER = Role(permissions=frozenset(PERMISSIONS), built_in=True)


def read(text: str) -> list[Document]:
    return read_texts([("organization.yaml", text)])


def start() -> State:
    """An organization as it is after the first start."""
    return State(
        roles={PROJECT_ADMIN: SUPER},
        users={"admin": User(display_name="admin")},
        groups={"Super Admins": Group(members=frozenset({"admin"}))},
        permissions=frozenset(PERMISSIONS),
        me="admin",
    )


def carried_out(state: State, plan: Plan) -> State:
    result = copy.deepcopy(state)
    for step in plan.steps:
        take(result, step)
    return result


@st.composite
def states(draw: st.DrawFn) -> State:
    """An organization that holds together: what is named is there."""
    state = start()
    state.environments = draw(
        st.dictionaries(HANDLES, st.builds(Environment, display_name=NAMES, critical=st.booleans()))
    )
    state.projects = {
        handle: Project(display_name=name, description=draw(TEXTS))
        for handle, name in draw(st.dictionaries(HANDLES, NAMES)).items()
    }
    for project in state.projects:
        for handle in draw(st.sets(HANDLES)):
            state.integrations[project, handle] = Integration(
                display_name=draw(NAMES), runtime_type="PY", description=draw(TEXTS)
            )
    state.roles |= draw(
        st.dictionaries(
            st.sampled_from(["Deployer", "Reader"]),
            st.builds(Role, permissions=st.frozensets(st.sampled_from(PERMISSIONS)), description=TEXTS),
        )
    )
    state.users |= {
        name: User(display_name=draw(NAMES), type="service" if name == "ci" else "person", disabled=draw(st.booleans()))
        for name in draw(st.sets(st.sampled_from(["ann", "bob", "ci"])))
    }
    for name in draw(st.sets(st.sampled_from(GROUPS))):
        state.groups[name] = Group(
            description=draw(TEXTS),
            members=draw(st.frozensets(st.sampled_from(sorted(state.users)))),
            mappings=draw(st.frozensets(grants(state), max_size=4)),
            project=draw(st.sampled_from([None, *state.projects])),
        )
    state.sso_mappings = draw(
        st.frozensets(
            st.builds(
                SsoMapping,
                st.sampled_from(["staff", "ops"]),
                st.sampled_from(sorted(state.groups)),
                st.just("https://idp.example"),
                st.just("groups"),
            )
        )
    )
    for name, type_ in (("hook", "webhook"), ("mail", "email")):
        if draw(st.booleans()):
            to = draw(st.sampled_from([("a@x.example",), ("b@x.example", "a@x.example")])) if type_ == "email" else ()
            state.alert_channels[name] = AlertChannel(type=type_, to=to)
    for name in draw(st.sets(st.sampled_from(["Slow", "Gone"]))):
        grant = draw(grants(state))
        key = (name, *(part or "" for part in grant[1:]))
        state.alert_rules[key] = AlertRule(values=draw(rules(sorted(state.alert_channels))))
    return state


@st.composite
def rules(draw: st.DrawFn, channels: list[str]) -> dict:
    """What a rule is like; each condition with what it takes."""
    condition = draw(st.sampled_from(["RUNTIME_OFFLINE", "ERROR_RATE", "LOG_PATTERN"]))
    return NEW_RULE | {
        "condition": condition,
        "threshold": draw(st.sampled_from([0.0, 0.5])) if condition == "ERROR_RATE" else None,
        "pattern": draw(st.sampled_from(["boom", "bang"])) if condition == "LOG_PATTERN" else "",
        "levels": draw(st.sampled_from([[], ["ERROR", "FATAL"]])) if condition == "LOG_PATTERN" else [],
        "severity": draw(st.sampled_from(["INFO", "CRITICAL"])),
        "enabled": draw(st.booleans()),
        "remindS": draw(st.sampled_from([0, 600])),
        "channels": draw(st.sets(st.sampled_from(channels)).map(sorted)) if channels else [],
    }


@st.composite
def grants(draw: st.DrawFn, state: State) -> Grant:
    role = draw(st.sampled_from(sorted(state.roles)))
    environment = draw(st.sampled_from([None, *state.environments]))
    project = draw(st.sampled_from([None, *state.projects]))
    inside = [handle for of, handle in state.integrations if of == project]
    return Grant(role, project, draw(st.sampled_from([None, *inside])) if project else None, environment)


def described(state: State, *, exact: bool = True) -> list[Document]:
    """The documents of an organization, those of groups with everything named, so that nothing is left open."""
    written = list(documents_of(state))
    for document in written:
        if document["kind"] == "Group" and exact:
            document["exact"] = True
        if document["kind"] in {"Group", "Project", "Role"}:
            document.setdefault("description", "")
        for integration in document.get("integrations", ()):
            integration.setdefault("description", "")
        if document["kind"] == "User":
            document.setdefault("disabled", False)
        if document["kind"] == "AlertChannel" and document["type"] == "webhook":
            document["urlFrom"] = "HOOK_URL"
        if document["kind"] == "AlertRule":
            for name in ("enabled", "remindS", "channels"):
                document.setdefault(name, {"enabled": True, "remindS": 0, "channels": []}[name])
            if document["condition"] == "LOG_PATTERN":
                document.setdefault("levels", [])
    return read(yaml.safe_dump_all(written))


@settings(deadline=None, max_examples=EXAMPLES)
@given(state=states())
def test_what_is_there_needs_no_step(state: State) -> None:
    plan = make_plan(described(state), state, prune=True)

    assert plan.steps == ()
    assert plan.notes == ()


def planned(documents: list[Document], present: State, *, prune: bool = False) -> Plan:
    """Plan, where nothing names a group that is about to bear another name: that is refused, and for no other reason."""
    try:
        return make_plan(documents, present, prune=prune)
    except FileInvalid as refused:
        assert all("is renamed with its project" in line for line in refused.message.splitlines())
        return reject()


@settings(deadline=None, max_examples=EXAMPLES)
@given(state=states())
def test_an_export_applies_to_nothing(state: State) -> None:
    assert make_plan(read(to_yaml(documents_of(state))), state).steps == ()


@settings(deadline=None, max_examples=EXAMPLES)
@given(before=states(), wanted=states())
def test_the_steps_lead_from_one_organization_to_the_other_and_never_name_what_is_not_there(
    before: State, wanted: State
) -> None:
    documents = described(wanted)

    after = carried_out(before, planned(documents, before, prune=True))

    assert after.environments == before.environments | wanted.environments
    assert after.projects == before.projects | wanted.projects
    assert after.integrations == before.integrations | wanted.integrations
    assert after.roles == before.roles | wanted.roles
    assert after.users == before.users | wanted.users
    assert set(after.alert_channels) == set(before.alert_channels) | set(wanted.alert_channels)
    assert after.alert_rules == before.alert_rules | wanted.alert_rules
    for name, group in wanted.groups.items():
        assert msgspec.structs.replace(after.groups[name], project=group.project) == group
    renamed = foresee(documents, before).renamed
    kept = {each._replace(group=renamed.get(each.group, each.group)) for each in before.sso_mappings}
    assert after.sso_mappings == kept | wanted.sso_mappings
    assert make_plan(documents, after, prune=True).steps == ()


@settings(deadline=None, max_examples=EXAMPLES)
@given(before=states(), wanted=states())
def test_without_prune_nothing_is_taken_away(before: State, wanted: State) -> None:
    plan = planned(described(wanted), before)

    after = carried_out(before, plan)
    renamed = foresee(described(wanted), before).renamed

    assert all(step.action is not Action.REMOVE for step in plan.steps)
    for name, group in before.groups.items():
        assert group.members <= after.groups[renamed.get(name, name)].members
        assert group.mappings <= after.groups[renamed.get(name, name)].mappings


@settings(deadline=None, max_examples=EXAMPLES)
@given(before=states(), wanted=states(), data=st.data())
def test_after_a_failure_halfway_the_next_plan_does_the_rest(before: State, wanted: State, data: st.DataObject) -> None:
    documents = described(wanted)
    plan = planned(documents, before, prune=True)
    halfway = copy.deepcopy(before)
    for step in plan.steps[: data.draw(st.integers(0, len(plan.steps)))]:
        take(halfway, step)

    after = carried_out(halfway, make_plan(documents, halfway, prune=True))

    assert make_plan(documents, after, prune=True).steps == ()


def test_the_organization_of_the_tests_refuses_what_comes_too_early() -> None:
    plan = make_plan(described(State(me="admin", groups={"Red": Group(members=frozenset())})), State(me="admin"))
    later = make_plan(
        read("kind: Group\nname: Red\nmembers: [ann]\n---\nkind: User\nusername: ann\ndisplayName: Ann\n"), start()
    )

    assert [step.thing for step in later.steps] == [Thing.USER, Thing.GROUP, Thing.MEMBERS]
    with pytest.raises(Refused):
        take(start(), later.steps[-1])
    assert len(plan.steps) == 1


def test_things_stand_before_what_names_them_whatever_the_order_of_the_files() -> None:
    text = """
kind: AlertRule
name: Gone
project: shop
environment: prod
condition: RUNTIME_OFFLINE
channels: [operators]
---
kind: AlertChannel
name: operators
type: email
to: [ann@shop.example]
---
kind: SsoGroupMapping
value: staff
group: Team
---
kind: Group
name: Team
members: [ann]
mappings:
- {role: Deployer, project: shop, integration: orders, environment: prod}
---
kind: User
username: ann
displayName: Ann
---
kind: Role
name: Deployer
permissions: ["integration_mgt:edit"]
---
kind: Project
handle: shop
displayName: Shop
integrations: [{handle: orders, displayName: Orders, runtimeType: PY}]
---
kind: Environment
handle: prod
displayName: Production
critical: true
"""
    plan = make_plan(read(text), start())

    assert [step.thing for step in plan.steps] == list(Thing)
    carried_out(start(), plan)


def test_a_group_that_comes_with_a_new_project_is_not_made_twice() -> None:
    text = """
kind: Project
handle: shop
displayName: Shop
---
kind: Group
name: Shop Admins
description: Run the shop.
members: [admin]
mappings: [{role: Project Admin, project: shop}]
"""
    plan = make_plan(read(text), start())

    assert [(step.action, step.thing) for step in plan.steps] == [
        (Action.CREATE, Thing.PROJECT),
        (Action.UPDATE, Thing.GROUP),
    ]


def renamed_shop() -> State:
    state = start()
    state.users["ann"] = User(display_name="Ann")
    state.projects["shop"] = Project(display_name="Shop")
    state.groups["Shop Admins"] = Group(
        members=frozenset({"admin"}), mappings=frozenset({Grant(PROJECT_ADMIN, "shop")}), project="shop"
    )
    return state


def test_a_project_is_renamed_with_its_group_in_one_apply() -> None:
    state = renamed_shop()
    documents = read("""
kind: Project
handle: shop
displayName: Market
---
kind: Group
name: Market Admins
exact: true
members: [ann]
mappings: [{role: Project Admin, project: shop}]
---
kind: SsoGroupMapping
value: staff
group: Market Admins
""")
    state.sso_mappings = frozenset({SsoMapping("staff", "Shop Admins", "https://idp.example", "groups")})

    plan = make_plan(documents, state, prune=True)

    assert [step.describe() for step in plan.steps] == [
        "update project shop",
        "add ann to group Market Admins",
        "remove admin from group Market Admins",
    ]
    after = carried_out(state, plan)
    assert list(after.groups) == ["Super Admins", "Market Admins"]
    assert after.groups["Market Admins"].members == {"ann"}


@pytest.mark.parametrize(
    "text",
    ["kind: Group\nname: Shop Admins\nmembers: [ann]\n", "kind: SsoGroupMapping\nvalue: staff\ngroup: Shop Admins\n"],
)
def test_a_group_is_not_named_as_it_was_before_its_project_was_renamed(text: str) -> None:
    project = "kind: Project\nhandle: shop\ndisplayName: Market\n---\n"

    with pytest.raises(
        FileInvalid, match=r"o\w+\.yaml:[67], .*Shop Admins is renamed with its project to Market Admins"
    ) as told:
        make_plan(read(project + text), renamed_shop())
    assert "Write `Market Admins`." in told.value.message


def test_a_group_that_somebody_named_stays_when_its_project_is_renamed() -> None:
    state = renamed_shop()
    state.groups["Shopkeepers"] = state.groups.pop("Shop Admins")
    text = "kind: Project\nhandle: shop\ndisplayName: Market\n---\nkind: Group\nname: Shopkeepers\nmembers: [ann]\n"

    after = carried_out(state, make_plan(read(text), state))

    assert after.groups["Shopkeepers"].members == {"admin", "ann"}


def test_members_whom_the_identity_provider_put_in_are_left_to_it() -> None:
    state = start()
    state.users["ann"] = User(display_name="Ann")
    state.groups["Team"] = Group(members=frozenset({"ann", "admin"}), from_sso=frozenset({"ann"}))

    plan = make_plan(read("kind: Group\nname: Team\nexact: true\nmembers: []\n"), state, prune=True)

    assert [step.values["users"] for step in plan.steps] == [["admin"]]


def test_what_would_be_pruned_is_noted_and_stays() -> None:
    state = start()
    state.groups["Team"] = Group(members=frozenset({"admin"}), mappings=frozenset({Grant(PROJECT_ADMIN)}))

    plan = make_plan(read("kind: Group\nname: Team\nexact: true\nmembers: []\nmappings: []\n"), state)

    assert plan.steps == ()
    assert plan.notes == (
        "admin would leave group Team with --prune.",
        "role Project Admin in the whole organization would leave group Team with --prune.",
    )


def test_many_members_are_added_in_parts_that_a_request_may_carry() -> None:
    state = start()
    state.users |= {f"u{number}": User(display_name="U") for number in range(1201)}
    names = ", ".join(f"u{number}" for number in range(1201))

    plan = make_plan(read(f"kind: Group\nname: Team\nmembers: [{names}]\n"), state)

    assert [len(step.values["users"]) for step in plan.steps[1:]] == [500, 500, 201]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Group\nname: T\nmembers: [admin,\n  nobody]\n",
            "organization.yaml:4, `members.1`: there is no user 'nobody'.",
        ),
        (
            "kind: Group\nname: T\nmappings:\n- role: None such\n",
            "organization.yaml:4, `mappings.0.role`: there is no role",
        ),
        ("kind: Group\nname: T\nmappings:\n- {role: Project Admin, project: none}\n", "there is no project 'none'"),
        (
            "kind: Group\nname: T\nmappings:\n- {role: Project Admin, environment: none}\n",
            "there is no environment 'none'",
        ),
        ("kind: SsoGroupMapping\nvalue: v\ngroup: None such\n", "there is no group 'None such'"),
        ("kind: Role\nname: R\npermissions: ['audit_mgt:vieew']\n", "there is no permission 'audit_mgt:vieew'"),
        ("kind: Role\nname: Project Admin\npermissions: []\n", "comes with Pilothouse and stays"),
        ("kind: User\nusername: admin\ndisplayName: A\ntype: service\n", "admin is a person, and that stays"),
    ],
)
def test_what_names_nothing_or_changes_what_stays_is_told_before_anything_is_done(text: str, message: str) -> None:
    with pytest.raises(FileInvalid) as told:
        make_plan(read(text), start())

    assert message in told.value.message


def test_a_runtime_type_stays() -> None:
    state = start()
    state.projects["shop"] = Project(display_name="Shop")
    state.integrations["shop", "orders"] = Integration(display_name="Orders", runtime_type="BI")
    text = "kind: Project\nhandle: shop\ndisplayName: Shop\nintegrations:\n- handle: orders\n  displayName: Orders\n  runtimeType: PY\n"

    with pytest.raises(FileInvalid, match=r"organization\.yaml:7, .*shop/orders is BI, and that stays"):
        make_plan(read(text), state)


HOOK = "kind: AlertChannel\nname: hook\ntype: webhook\n"


def hooked(**more: object) -> State:
    return State(alert_channels={"hook": AlertChannel(type="webhook", **more)}, variables=frozenset({"HOOK_URL"}))


def test_a_channel_keeps_what_is_secret_where_no_variable_is_named() -> None:
    assert make_plan(read(HOOK), hooked()).steps == ()
    assert make_plan(read(HOOK + "urlFrom: HOOK_URL\n"), hooked()).steps == ()


def test_another_secret_in_the_variable_is_a_change_that_does_not_tell_it() -> None:
    plan = make_plan(read(HOOK + "urlFrom: HOOK_URL\n"), hooked(differing=frozenset({"urlFrom"})))

    (step,) = plan.steps
    assert (step.action, step.values, step.was) == (
        Action.UPDATE,
        {"urlFrom": "HOOK_URL"},
        {"urlFrom": "another value"},
    )


@pytest.mark.parametrize(
    ("text", "present", "said"),
    [
        (HOOK, State(), "a new channel needs it"),
        (HOOK + "urlFrom: NOT_SET\n", hooked(), "the environment variable NOT_SET is not set here"),
        ("kind: AlertChannel\nname: hook\ntype: slack\nurlFrom: HOOK_URL\n", hooked(), "that stays"),
        ("kind: AlertRule\nname: r\ncondition: NO_TRAFFIC\nchannels: [nobody]\n", State(), "no channel 'nobody'"),
        ("kind: AlertRule\nname: r\ncondition: NO_TRAFFIC\nproject: none\n", State(), "no project 'none'"),
    ],
)
def test_what_an_alert_document_lacks_is_said_before_anything_is_done(text: str, present: State, said: str) -> None:
    with pytest.raises(FileInvalid, match=said):
        make_plan(read(text), present)


def test_a_rule_that_gets_another_condition_leaves_behind_what_meant_something_to_the_old_one() -> None:
    key = ("r", "", "", "")
    state = State(
        alert_rules={key: AlertRule(values=NEW_RULE | {"condition": "ERROR_RATE", "threshold": 0.5, "windowS": 600})}
    )
    plan = make_plan(read("kind: AlertRule\nname: r\ncondition: LATENCY\nthreshold: 0.5\n"), state)

    assert plan.steps[0].values == {"condition": "LATENCY", "threshold": 0.5}
    after = carried_out(state, make_plan(read("kind: AlertRule\nname: r\ncondition: RUNTIME_OFFLINE\n"), state))
    assert after.alert_rules[key].values["threshold"] is None
    assert after.alert_rules[key].values["windowS"] == 600
