"""Files of an organization: what is wrong is told with its place, and nothing in them can do harm."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.client.apply import reading
from pilothouse.client.apply.fields import KINDS, json_schema
from pilothouse.client.apply.reading import read_files, read_texts
from pilothouse.client.errors import FileInvalid


def refused(text: str) -> str:
    with pytest.raises(FileInvalid) as told:
        read_texts([("o.yaml", text)])
    return told.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Project\nhandle: shop\ndisplayName: Shop\ndescripton: x\n", "o.yaml:4, `descripton`: there is no such field. Did you mean `description`?"),
        ("kind: Projekt\nhandle: shop\n", "o.yaml:1, `kind`: there is no such kind: 'Projekt'."),
        ("handle: shop\n", "o.yaml:1, `kind`: it has no `kind`."),
        ("- kind: Project\n", "o.yaml:1: a document is an object"),
        ("kind: Project\ndisplayName: Shop\n", "o.yaml:1, `handle`: the field is missing."),
        ("kind: Project\nhandle: Shop!\ndisplayName: Shop\n", "o.yaml:2, `handle`: 'Shop!' does not match"),
        ("kind: Environment\nhandle: dev\ndisplayName: no\n", 'o.yaml:3, `displayName`: it is no text. Write it in quotes: "no".'),
        ("kind: Environment\nhandle: dev\ndisplayName: Dev\ncritical: 'true'\n", "o.yaml:4, `critical`: it is neither true nor false."),
        ("kind: Environment\nhandle: dev\ndisplayName: Dev\ncritical: on\n", "o.yaml:4, `critical`: it is neither true nor false."),
        ("kind: Environment\nhandle: dev\nhandle: prod\ndisplayName: Dev\n", "o.yaml:3, `handle`: the field stands here twice."),
        ("kind: Group\nname: T\nmembers: ann\n", "o.yaml:3, `members`: it is no list"),
        ("kind: Group\nname: T\nmembers: [ann, ann]\n", "o.yaml:3, `members[1]`: ann stands here twice."),
        ("kind: Group\nname: T\nmappings:\n- role: R\n- role: R\n", "o.yaml:5, `mappings[1]`: R stands here twice."),
        ("kind: Group\nname: T\nmappings:\n- role: R\n  integration: orders\n", "an integration is named without its project"),
        ("kind: Group\nname: T\nmappings: [R]\n", "o.yaml:3, `mappings[0]`: it is no object."),
        ("kind: User\nusername: u\ndisplayName: U\ntype: robot\n", "o.yaml:4, `type`: 'robot' is not known. One of person, service."),
        ("kind: Role\nname: R\npermissions: [everything]\n", "`permissions[0]`: 'everything' does not match"),
        ("kind: Role\nname: ''\npermissions: []\n", "o.yaml:2, `name`: it is empty."),
        (f"kind: Role\nname: {'n' * 101}\npermissions: []\n", "it has more than 100 characters"),
        ("kind: [\n", "this is no YAML"),
        ("kind: Role\nname: !!python/object/apply:os.system ['true']\npermissions: []\n", "o.yaml:2, `name`: it is no text."),
        ("kind: Role\nname: !mine x\npermissions: []\n", "o.yaml:2, `name`: it is no text."),
        ("? [a]\n: b\n", "a field's name is a plain text"),
        ("kind: *nothing\n", "this is no YAML"),
        ("kind: \x07\n", "this is no YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_field_and_fix(text: str, message: str) -> None:
    assert message in refused(text)


def test_the_same_thing_in_two_files_is_told_with_both_places() -> None:
    text = "kind: Environment\nhandle: dev\ndisplayName: Dev\n"

    with pytest.raises(FileInvalid, match=r"b\.yaml:2, `handle`: this Environment is described already in a\.yaml:1\."):
        read_texts([("a.yaml", text), ("b.yaml", f"---\n{text}")])


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    with pytest.raises(FileInvalid) as told:
        read_texts([("a.yaml", "kind: A\n"), ("b.yaml", "kind: B\n---\nkind: C\n")])

    assert len(told.value.message.splitlines()) == 3


def test_aliases_that_repeat_themselves_out_of_all_proportion_are_refused() -> None:
    # Each list holds the one before many times over: spelled out they would be as many as no machine can hold.
    lists = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = f"kind: Group\nname: T\nx:\n  l0: &l0 [a]\n{lists}members: *l29\n"

    assert "o.yaml" in refused(text)


def test_an_alias_may_repeat_a_value() -> None:
    text = "kind: Group\nname: A\nmembers: &all [ann, bob]\n---\nkind: Group\nname: B\nmembers: [ann]\nexact: true\n"

    assert [document.values["members"] for document in read_texts([("o", text)])] == [["ann", "bob"], ["ann"]]


def test_a_list_that_holds_itself_is_refused() -> None:
    assert "it is no object" in refused("kind: Group\nname: A\nmappings: &m [*m]\n")


@pytest.mark.parametrize("opened", ["[", "{a: "])
def test_nesting_without_end_is_refused_and_does_not_exhaust_the_stack(opened: str) -> None:
    assert "nests" in refused(f"kind: {opened * 20_000}")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("#" * (reading.BYTES_MAX + 1), encoding="utf-8")

    with pytest.raises(FileInvalid, match="more than 1048576 bytes"):
        read_files([file])


def test_a_folder_is_read_with_what_lies_below_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.yml").write_text("kind: Environment\nhandle: two\ndisplayName: T\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text(
        "# nothing\n---\nkind: Environment\nhandle: one\ndisplayName: O\n", encoding="utf-8"
    )
    (tmp_path / "notes.txt").write_text("kind: Nothing\n", encoding="utf-8")

    assert [document.values["handle"] for document in read_files([tmp_path])] == ["one", "two"]


def test_a_folder_without_files_and_a_file_that_is_not_there_are_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(FileInvalid, match=r"there is no \*\.yaml|cannot be read"):
            read_files([path])


@given(text=st.text(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(text: str) -> None:
    try:
        read_texts([("o.yaml", text)])
    except FileInvalid as refused:
        assert refused.message


def test_the_json_schema_names_every_kind_and_field_and_allows_no_other() -> None:
    schema = json_schema()

    assert [each["title"] for each in schema["oneOf"]] == [kind.name for kind in KINDS]
    for kind, each in zip(KINDS, schema["oneOf"], strict=True):
        assert set(each["properties"]) == {"kind", *(field.name for field in kind.fields)}
        assert each["additionalProperties"] is False
