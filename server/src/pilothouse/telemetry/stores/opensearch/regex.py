"""Regular expressions: RE2's language and linear time, decided here; the cluster only narrows by what must be there."""

from collections.abc import Sequence

import duckdb

from pilothouse.base.errors import InvalidInput

LITERAL_MIN = 3
"""Shorter ones narrow nothing."""
_SPECIAL = frozenset(".^$*+?{}[]|()\\")
_CLASSES = frozenset("bBdDwWsSAz")
_MEMORY = "128MB"


class Expressions:
    """Matches expressions as the embedded store does."""

    def __init__(self) -> None:
        self._database = duckdb.connect(config={"memory_limit": _MEMORY, "threads": 1})

    def check(self, regex: str) -> None:
        """See that an expression can be used.

        Raises: InvalidInput
        """
        self.matching(regex, [""])

    def matching(self, regex: str, messages: Sequence[str]) -> list[bool]:
        """Tell of each message whether an expression matches anywhere in it.

        Raises: InvalidInput
        """
        sql = "SELECT regexp_matches(message, $1) FROM (SELECT unnest($2::VARCHAR[]) AS message)"
        try:
            rows = self._database.cursor().execute(sql, [regex, list(messages)]).fetchall()
        except duckdb.InvalidInputException as error:
            raise InvalidInput(str(error), field="regex") from None
        return [bool(matches) for (matches,) in rows]

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


def literals(regex: str) -> list[str]:
    """List what must be in every text that an expression matches; none where that is not plain to see."""
    found: list[str] = []
    run = ""
    at = 0
    while at < len(regex):
        sign = regex[at]
        end, letter = _step(regex, at)
        if end is None:
            return []
        if letter:
            run += letter
        else:
            # What stands before may be missing; of a repeated group or class nothing is in the run.
            run = _ended(found, run[:-1] if sign in "*?{" else run)
        at = end
    _ended(found, run)
    return found


def _step(regex: str, at: int) -> tuple[int | None, str]:  # noqa: PLR0911 - one for each sign
    """Read one part of an expression: where the next one begins, and the letter that it stands for, if it is one."""
    sign = regex[at]
    match sign:
        case "|":
            return None, ""
        case "(":
            return _after_group(regex, at), ""
        case "[":
            return _after_class(regex, at), ""
        case "{":
            return _after_counts(regex, at), ""
        case "\\":
            following = regex[at + 1 : at + 2]
            if following in _CLASSES:
                return at + 2, ""
            plain = following.isascii() and not following.isalnum()
            return (at + 2, following) if plain and following else (None, "")
        case _:
            return at + 1, "" if sign in _SPECIAL else sign


def _ended(found: list[str], run: str) -> str:
    if len(run) >= LITERAL_MIN:
        found.append(run)
    return ""


def _after_counts(regex: str, at: int) -> int:
    end = regex.find("}", at)
    return end + 1 if end >= 0 else len(regex)


def _after_group(regex: str, at: int) -> int | None:
    """Skip a group; None for one that sets flags or is not closed, or says what is not understood here."""
    depth = 0
    while at < len(regex):
        sign = regex[at]
        if sign == "\\":
            if regex[at + 1 : at + 2] in ("Q", "C"):
                return None
            at += 2
            continue
        if sign == "[":
            end = _after_class(regex, at)
            if end is None:
                return None
            at = end
            continue
        if sign == "(":
            if regex.startswith("(?", at) and not regex.startswith(("(?:", "(?P<", "(?<"), at):
                return None
            depth += 1
        elif sign == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return None


def _after_class(regex: str, at: int) -> int | None:
    """Skip a class of characters; None for one that is not closed or has classes by name."""
    at += 1
    if regex.startswith("^", at):
        at += 1
    if regex.startswith("]", at):
        at += 1
    while at < len(regex):
        if regex[at] == "\\":
            at += 2
        elif regex.startswith("[:", at):
            return None
        elif regex[at] == "]":
            return at + 1
        else:
            at += 1
    return None
