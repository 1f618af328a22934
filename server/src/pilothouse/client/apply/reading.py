"""From YAML to documents: only plain values, nothing unknown, and every mistake told with file, line, field and fix."""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import yaml

from pilothouse.client.apply.fields import CHANNEL_FIELDS, ITEMS_MAX, KIND_BY_NAME, Field, Kind, Shape
from pilothouse.client.errors import FileInvalid

BYTES_MAX: Final = 1_048_576
"""Of one file. Unit: bytes."""
FILES_MAX: Final = 1_000
DOCUMENTS_MAX: Final = 10_000
NODES_MAX: Final = 200_000
"""Values of one file, counted anew wherever an alias repeats them."""
DEPTH_MAX: Final = 8
PROBLEMS_MAX: Final = 20
_TAG: Final = "tag:yaml.org,2002:"
_KIND: Final = "kind"
_WHOLE: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One checked document, and where each of its fields stands."""

    kind: str
    values: dict[str, Any]
    """Any: text, flag, or a list of texts or objects, as the kind's fields say."""
    file: str
    line: int
    lines: dict[tuple[str | int, ...], int]

    def line_of(self, *path: str | int) -> int:
        """Tell the line of a field, or of the nearest thing above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake."""

    file: str
    line: int
    field: str
    message: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f", `{self.field}`" if self.field else "")
        return f"{where}: {self.message} {self.fix}".rstrip()


def refuse(problems: Sequence[Problem]) -> None:
    """Raise all mistakes at once, if there are any.

    Raises: FileInvalid
    """
    if problems:
        shown = [str(problem) for problem in problems[:PROBLEMS_MAX]]
        if len(problems) > PROBLEMS_MAX:
            shown.append(f"… and {len(problems) - PROBLEMS_MAX} more.")
        raise FileInvalid("\n".join(shown), field=problems[0].field or None)


def read_files(paths: Sequence[Path]) -> list[Document]:
    """Read files, and all `*.yaml` and `*.yml` in folders and the folders below, in the order of their names.

    Raises: FileInvalid
    """
    texts: list[tuple[str, str]] = []
    for path in _expanded(paths):
        try:
            size = path.stat().st_size
            if size > BYTES_MAX:
                raise FileInvalid(f"{path}: it has more than {BYTES_MAX} bytes.", fix="Split it into several files.")
            texts.append((str(path), path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise FileInvalid(
                f"{path} cannot be read: {error}", fix="Name a file of UTF-8 text, or a folder."
            ) from error
    return read_texts(texts)


def _expanded(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(each for each in path.rglob("*") if each.suffix in {".yaml", ".yml"} and each.is_file())
            if not below:
                raise FileInvalid(f"{path}: there is no *.yaml or *.yml in it.", fix="Name a file or another folder.")
            found += below
        else:
            found.append(path)
    if len(found) > FILES_MAX:
        raise FileInvalid(f"There are more than {FILES_MAX} files.", fix="Apply them in parts.")
    return found


def read_texts(texts: Sequence[tuple[str, str]]) -> list[Document]:
    """Read the texts of files, each with its name.

    Raises: FileInvalid
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for name, text in texts:
        reader = _Reader(name)
        documents += reader.read(text)
        problems += reader.problems
    if len(documents) > DOCUMENTS_MAX:
        raise FileInvalid(f"There are more than {DOCUMENTS_MAX} documents.", fix="Apply them in parts.")
    refuse([*problems, *_duplicates(documents)])
    return documents


def _duplicates(documents: Sequence[Document]) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], Document] = {}
    for document in documents:
        kind = KIND_BY_NAME[document.kind]
        key = (kind.name, *(str(document.values.get(name)) for name in kind.key))
        first = seen.setdefault(key, document)
        if first is not document:
            yield Problem(
                file=document.file,
                line=document.line,
                field=kind.key[0],
                message=f"this {kind.name} is described already in {first.file}:{first.line}.",
                fix="Describe each thing once.",
            )


class _Reader:
    """Reads one file and collects what is wrong in it."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._nodes = 0

    def read(self, text: str) -> list[Document]:
        if len(text.encode()) > BYTES_MAX:
            raise FileInvalid(f"{self._file}: it has more than {BYTES_MAX} bytes.", fix="Split it into several files.")
        documents: list[Document] = []
        try:
            # Composed, not constructed: no tag makes an object, and every value knows its line.
            for root in cast("Iterator[yaml.Node]", yaml.compose_all(text, Loader=yaml.SafeLoader)):
                document = None if _is_nothing(root) else self._document(root)
                if document is not None:
                    documents.append(document)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else mark.line + 1
            self._tell(line, "", f"this is no YAML: {error.problem or error.context}.", "Mend the syntax.")
        except yaml.YAMLError as error:
            self._tell(1, "", f"this is no YAML: {' '.join(str(error).split())}.", "Mend the syntax.")
        except RecursionError:
            self._tell(1, "", f"it nests more than {DEPTH_MAX} levels.", "See `pilothouse schema` for the shape.")
        return documents

    def _document(self, root: yaml.Node) -> Document | None:
        if not isinstance(root, yaml.MappingNode):
            self._tell(
                _line(root), "", "a document is an object with a `kind`.", "Begin it with `kind: Project`, or alike."
            )
            return None
        entries = self._entries(root, ())
        if entries is None:
            return None
        named = entries.pop(_KIND, None)
        kind = KIND_BY_NAME.get(named.value) if isinstance(named, yaml.ScalarNode) else None
        if kind is None:
            said = "it has no `kind`." if named is None else f"there is no such kind{_quoted(named)}."
            self._tell(_line(named or root), _KIND, said, f"It is one of {', '.join(KIND_BY_NAME)}.")
            return None
        before = len(self.problems)
        lines: dict[tuple[str | int, ...], int] = {(): _line(root)}
        values = self._object(entries, kind.fields, (), lines, root)
        self._check_rules(kind, values, lines)
        if len(self.problems) > before:
            return None
        return Document(kind=kind.name, values=values, file=self._file, line=_line(root), lines=lines)

    def _check_rules(self, kind: Kind, values: dict[str, Any], lines: dict[tuple[str | int, ...], int]) -> None:
        """Check what one field alone does not tell. Any: as in Document."""
        if kind.name == "Group":
            for at, mapping in enumerate(values.get("mappings") or ()):
                if "integration" in mapping and "project" not in mapping:
                    self._tell(
                        lines.get(("mappings", at), 1),
                        f"mappings[{at}].integration",
                        "an integration is named without its project.",
                        "Add `project`.",
                    )
        if kind.name == "AlertRule" and "integration" in values and "project" not in values:
            self._tell(
                lines.get(("integration",), 1),
                "integration",
                "an integration is named without its project.",
                "Add `project`.",
            )
        if kind.name == "AlertChannel":
            known = CHANNEL_FIELDS.get(values.get("type", ""), ())
            for name in sorted(set(values) - {"name", "type", *known}):
                self._tell(
                    lines.get((name,), 1),
                    name,
                    f"a channel of the type {values.get('type')} has no such field.",
                    f"It has {', '.join(known)}.",
                )

    def _entries(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, yaml.Node] | None:
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not self._counted(key, path):
                return None
            if not isinstance(key, yaml.ScalarNode):
                self._tell(_line(key), _shown(path), "a field's name is a plain text.", "Write `name: value`.")
            elif key.value in entries:
                self._tell(_line(key), _shown((*path, key.value)), "the field stands here twice.", "Keep one of them.")
            else:
                entries[key.value] = value
        return entries

    def _object(
        self,
        entries: dict[str, yaml.Node],
        fields: tuple[Field, ...],
        path: tuple[str | int, ...],
        lines: dict[tuple[str | int, ...], int],
        node: yaml.Node,
    ) -> dict[str, Any]:
        known = {field.name: field for field in fields}
        values: dict[str, Any] = {}  # Any: as in Document
        for name, value in entries.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                fix = f"Did you mean `{close[0]}`?" if close else f"Known are {', '.join(known)}."
                self._tell(_line(value), _shown((*path, name)), "there is no such field.", fix)
                continue
            lines[*path, name] = _line(value)
            values[name] = self._value(value, known[name], (*path, name), lines)
        for field in fields:
            if field.required and field.name not in entries:
                self._tell(_line(node), _shown((*path, field.name)), "the field is missing.", field.meaning)
        return values

    def _value(
        self, node: yaml.Node, field: Field, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
    ) -> Any:  # Any: as in Document
        if not self._counted(node, path):
            return None
        match field.shape:
            case Shape.TEXT:
                return self._text(node, field, path)
            case Shape.FLAG:
                return self._flag(node, path)
            case Shape.WHOLE | Shape.NUMBER:
                return self._number(node, field, path)
            case Shape.TEXTS | Shape.OBJECTS:
                return self._list(node, field, path, lines)

    def _list(
        self, node: yaml.Node, field: Field, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
    ) -> list[Any]:  # Any: as in Document
        if not isinstance(node, yaml.SequenceNode) or len(node.value) > ITEMS_MAX:
            self._tell(
                _line(node), _shown(path), f"it is no list of at most {ITEMS_MAX} items.", "Write `- item` lines."
            )
            return []
        found: list[Any] = []  # Any: as in Document
        seen: set[tuple[str, ...]] = set()
        for at, item in enumerate(node.value):
            inner = (*path, at)
            lines[inner] = _line(item)
            if field.shape is Shape.TEXTS:
                value: Any = self._text(item, field, inner)
                key = (str(value),)
            elif isinstance(item, yaml.MappingNode) and self._counted(item, inner):
                value = self._object(self._entries(item, inner) or {}, field.fields, inner, lines, item)
                key = tuple(str(value.get(name, "")) for name in field.key)
            else:
                self._tell(_line(item), _shown(inner), "it is no object.", f"Known fields: {_names(field.fields)}.")
                continue
            if key in seen:
                self._tell(_line(item), _shown(inner), f"{' '.join(filter(None, key))} stands here twice.", "Keep one.")
            seen.add(key)
            found.append(value)
        return found

    def _text(self, node: yaml.Node, field: Field, path: tuple[str | int, ...]) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}str":
            fix = f'Write it in quotes: "{node.value}".' if isinstance(node, yaml.ScalarNode) else "Write one text."
            self._tell(_line(node), _shown(path), "it is no text.", fix)
            return ""
        text = node.value
        if field.choices and text not in field.choices:
            self._tell(_line(node), _shown(path), f"'{text[:80]}' is not known.", f"One of {', '.join(field.choices)}.")
        elif not text and not field.may_be_empty:
            self._tell(_line(node), _shown(path), "it is empty.", field.meaning)
        elif len(text) > field.length_max:
            self._tell(_line(node), _shown(path), f"it has more than {field.length_max} characters.", "Shorten it.")
        elif field.pattern and not re.fullmatch(field.pattern, text):
            self._tell(_line(node), _shown(path), f"'{text[:80]}' does not match {field.pattern}.", field.meaning)
        return text

    def _flag(self, node: yaml.Node, path: tuple[str | int, ...]) -> bool:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}bool" and node.value.lower() in {"true", "false"}:
            return node.value.lower() == "true"
        self._tell(
            _line(node), _shown(path), "it is neither true nor false.", "Write `true` or `false`, without quotes."
        )
        return False

    def _number(self, node: yaml.Node, field: Field, path: tuple[str | int, ...]) -> float:
        form = _WHOLE if field.shape is Shape.WHOLE else _NUMBER
        is_one = isinstance(node, yaml.ScalarNode) and node.tag in {f"{_TAG}int", f"{_TAG}float"}
        if not is_one or not form.fullmatch(node.value):
            self._tell(_line(node), _shown(path), f"it is no {field.shape.value}.", "Write digits, without quotes.")
            return 0
        value = int(node.value) if field.shape is Shape.WHOLE else float(node.value)
        if value > field.high:
            self._tell(_line(node), _shown(path), f"it is more than {field.high:g}.", field.meaning)
        return value

    def _counted(self, node: yaml.Node, path: tuple[str | int, ...]) -> bool:
        self._nodes += 1
        if self._nodes > NODES_MAX or len(path) > DEPTH_MAX:
            raise FileInvalid(
                f"{self._file}:{_line(node)}: it holds more than {NODES_MAX} values, or nests too deeply.",
                fix="Split the file, and use fewer aliases.",
            )
        return True

    def _tell(self, line: int, field: str, message: str, fix: str) -> None:
        self.problems.append(Problem(file=self._file, line=line, field=field, message=message, fix=fix))


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def _quoted(node: yaml.Node) -> str:
    return f": '{node.value[:80]}'" if isinstance(node, yaml.ScalarNode) else ""


def _names(fields: tuple[Field, ...]) -> str:
    return ", ".join(field.name for field in fields)


def _shown(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text
