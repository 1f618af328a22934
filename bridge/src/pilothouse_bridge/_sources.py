"""Where settings are written down: environment, data variable, files. Each value keeps its origin for messages."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pilothouse_bridge.errors import ConfigFileUnusableError

FILE_NAME: Final = "Config.toml"
#: The original bridge's table first: when both are there, ours wins field by field.
TABLES: Final = (("wso2", "icp", "runtime", "bridge"), ("pilothouse", "bridge"))
OWN_PREFIX: Final = "PILOTHOUSE_BRIDGE_"
#: Ballerina writes BAL_CONFIG_VAR_<ORG>_<MODULE>_<VARIABLE>; the module here is wso2/icp.runtime.bridge.
BALLERINA_PREFIX: Final = "BAL_CONFIG_VAR_WSO2_ICP_RUNTIME_BRIDGE_"
FILES_VARIABLES: Final = ("PILOTHOUSE_BRIDGE_CONFIG_FILES", "BAL_CONFIG_FILES")
TEXT_VARIABLES: Final = ("PILOTHOUSE_BRIDGE_CONFIG_DATA", "BAL_CONFIG_DATA")
DISABLED_VARIABLE: Final = "PILOTHOUSE_BRIDGE_DISABLED"
_OWN_VARIABLES: Final = frozenset({FILES_VARIABLES[0], TEXT_VARIABLES[0], DISABLED_VARIABLE})


@dataclass(frozen=True)
class Found:
    """One value as it was written, and where; ``text_only`` when its place can hold nothing but text."""

    value: object
    origin: str
    text_only: bool = False

    def __repr__(self) -> str:
        # The value may be the secret.
        return f"Found(origin={self.origin!r})"


#: Field (as it is spelled in Config.toml) → value.
Layer = dict[str, Found]


def snake(field: str) -> str:
    """ServerUrl → server_url, enableSSL → enable_ssl."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower()


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks the bridge to do nothing at all."""
    return environ.get(DISABLED_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}


def from_environment(environ: Mapping[str, str], fields: Sequence[str]) -> tuple[Layer, list[str]]:
    """One variable a field; our own name wins over Ballerina's. Also answers warnings about names that mean nothing."""
    layer: Layer = {}
    known: set[str] = set(_OWN_VARIABLES)
    for field in fields:
        own = OWN_PREFIX + snake(field).upper()
        # Ballerina upper-cases serverUrl as it stands; SERVER_URL is what people type.
        names = (own, BALLERINA_PREFIX + field.upper(), BALLERINA_PREFIX + snake(field).upper())
        known.update(names)
        for name in names:
            if environ.get(name, "").strip():
                layer[field] = Found(environ[name].strip(), f"environment variable {name}", text_only=True)
                break
    strangers = [name for name in environ if name.startswith((OWN_PREFIX, BALLERINA_PREFIX)) and name not in known]
    return layer, [_stranger("environment variable", name, sorted(known)) for name in sorted(strangers)]


def from_text_variables(environ: Mapping[str, str], fields: Sequence[str]) -> tuple[Layer, list[str]]:
    """TOML text held by a variable: our own variable wins over Ballerina's, field by field."""
    texts = [
        (environ[name], f"environment variable {name}") for name in TEXT_VARIABLES if environ.get(name, "").strip()
    ]
    return _merged(texts, fields)


def from_files(environ: Mapping[str, str], directory: Path, fields: Sequence[str]) -> tuple[Layer, list[str]]:
    """The files named by a variable, else Config.toml; an earlier file wins over a later one, as with Ballerina.

    Raises: ConfigFileUnusableError.
    """
    return _merged([(_read(path), str(path)) for path in config_files(environ, directory)], fields)


def config_files(environ: Mapping[str, str], directory: Path) -> list[Path]:
    """The files to read, most important first.

    Raises: ConfigFileUnusableError when a file that was named is not there.
    """
    for variable in FILES_VARIABLES:
        named = [Path(part) for part in environ.get(variable, "").split(os.pathsep) if part.strip()]
        if not named:
            continue
        for path in named:
            if not (directory / path).is_file():
                raise ConfigFileUnusableError(
                    f"The file '{path}' (named by environment variable {variable})",
                    "does not exist",
                    f"correct {variable}, or remove it to read {FILE_NAME} of the working directory",
                )
        return [directory / path for path in named]
    return [path for path in default_files(directory) if path.is_file()][:1]


def default_files(directory: Path) -> list[Path]:
    """Where Config.toml is looked for: the working directory, then beside the program."""
    places = [directory / FILE_NAME]
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    if main_file is not None:
        places.append(directory / Path(main_file).parent / FILE_NAME)
    return places


def _read(path: Path) -> str:
    try:
        # utf-8-sig: editors on Windows put a byte order mark first, which TOML forbids.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigFileUnusableError(f"The file '{path}'", "is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise ConfigFileUnusableError(
            f"The file '{path}'", f"cannot be read: {error.strerror}", "let the program's user read it"
        ) from None


def _merged(texts: Sequence[tuple[str, str]], fields: Sequence[str]) -> tuple[Layer, list[str]]:
    merged: Layer = {}
    warnings: list[str] = []
    for text, origin in texts:
        layer: Layer = {}
        for table, members in _tables(text, origin):
            for key, value in members.items():
                place = _place(text, table, key, origin)
                if key in fields:
                    layer[key] = Found(value, place)
                else:
                    warnings.append(_stranger(f"setting in {place}", key, list(fields)))
        merged = layer | merged
    return merged, warnings


def _tables(text: str, origin: str) -> Iterator[tuple[tuple[str, ...], dict[str, object]]]:
    import tomllib  # a program that is configured by its environment alone need not pay for it

    try:
        document: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Only the position is kept: the parser's own words may quote the line, and the line may hold the secret.
        where = re.search(r"line \d+, column \d+", str(error))
        problem = f"is not valid TOML at {where[0]}" if where else "is not valid TOML: it ends too early"
        raise ConfigFileUnusableError(origin, problem, "compare it with the snippet that the console shows") from None
    for table in TABLES:
        node: dict[str, object] = document
        for part in table:
            inner = node.get(part)
            node = cast("dict[str, object]", inner) if isinstance(inner, dict) else {}
        yield table, node


def _place(text: str, table: tuple[str, ...], key: str, origin: str) -> str:
    """``origin:line`` when the line is easily found, else ``origin``."""
    header = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in table) + r"\s*\]")
    assignment = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("["):
            inside = header.match(line) is not None
        elif inside and assignment.match(line):
            return f"{origin}:{number}"
    return origin


def _stranger(what: str, name: str, known: list[str]) -> str:
    import difflib  # rarely needed, like every mistake

    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    hint = f"; did you mean '{folded[near[0]]}'?" if near else f"; known are: {', '.join(known)}"
    return f"Unknown {what}: '{name}' is ignored{hint}"
