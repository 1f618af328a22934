"""Texts anywhere in a message, in OpenSearch's language.

A message lies in the index as its words and as what is between them, each with its place: "took 12 ms" as `took`, ` `, `12`, ` `,
`ms`. So a text is a row of those, of which the first may begin before it and the last end behind it. That is a fifth of the
octets that groups of three letters take, which indices made before have; both are asked.
"""

import itertools
import re
from collections.abc import Callable, Sequence

from pilothouse.telemetry.stores.opensearch.templates import Json

PHRASE_MAX = 120
"""Letters of a phrase that the cluster looks for; the rest is looked at here."""
_TERMS_MAX = 1_000
"""Words that the first or the last part of a text may stand for in a row; the cluster refuses more than 1,024."""
_GRAM = 3
_PART = re.compile(r"[A-Za-z0-9_-]+|[^A-Za-z0-9_-]+")
_ASCII = re.compile(r"[\x00-\x7f]+")
_PARTS, _OVERLONG, _GRAMS_BEFORE = "message.parts", "overlong", "message.grams"
_ANY = ".*"


def said(phrase: str, *, ignore_case: bool = False) -> Json:
    """Write that a message has a phrase in it, of which the cluster decides; it may say that this is too much (`TooManyTerms`)."""
    return _anywhere(phrase, _row, ignore_case=ignore_case)


def perhaps_said(phrase: str, *, ignore_case: bool = False) -> Json:
    """Write that a message has all parts of a phrase in it; whether they stand together is left to the asker."""
    return _anywhere(phrase, _all_of, ignore_case=ignore_case)


def token_said(token: str) -> Json:
    """Write that a message has a word; what indices made before call it is asked without complaint where it is not indexed."""
    before: Json = {"match": {"message": {"query": token, "analyzer": "keyword", "lenient": True}}}
    return _either([{"term": {_PARTS: token}}, before])


def _anywhere(phrase: str, write: Callable[[Sequence[str], bool], Json], *, ignore_case: bool) -> Json:
    told = phrase[:PHRASE_MAX]
    # Letters beyond ASCII may be more or fewer letters in another case: what is between them is looked for.
    pieces = [told] if told.isascii() or not ignore_case else _ASCII.findall(told)
    conditions: list[Json] = []
    for piece in pieces:
        grams = [{"bool": {"filter": _by_grams(piece, field, ignore_case)}} for field in (_OVERLONG, _GRAMS_BEFORE)]
        conditions.append(_either([write(_PART.findall(piece), ignore_case), *grams]))
    return {"bool": {"filter": conditions}} if conditions else {"match_all": {}}


def _either(conditions: list[Json]) -> Json:
    return {"bool": {"should": conditions, "minimum_should_match": 1}}


def _row(parts: Sequence[str], ignore_case: bool) -> Json:
    if len(parts) == 1:
        return _all_of(parts, ignore_case)
    patterns = _patterns(parts, ignore_case=ignore_case)
    last = len(parts) - 1
    row: list[Json] = [
        {"match": {"query": part, "analyzer": "keyword"}}
        if 0 < at < last and not ignore_case
        else {"regexp": {"pattern": pattern, "flags": "NONE", "max_expansions": _TERMS_MAX}}
        for at, (part, pattern) in enumerate(zip(parts, patterns, strict=True))
    ]
    return {"intervals": {_PARTS: {"all_of": {"intervals": row, "ordered": True, "max_gaps": 0}}}}


def _all_of(parts: Sequence[str], ignore_case: bool) -> Json:
    patterns = _patterns(parts, ignore_case=ignore_case)
    last = len(parts) - 1
    return {
        "bool": {
            "filter": [
                {"term": {_PARTS: part}}
                if 0 < at < last and not ignore_case
                else {"regexp": {_PARTS: {"value": pattern, "flags": "NONE"}}}
                for at, (part, pattern) in enumerate(zip(parts, patterns, strict=True))
            ]
        }
    }


def _patterns(parts: Sequence[str], *, ignore_case: bool) -> list[str]:
    patterns = ["".join(_letter(letter, ignore_case=ignore_case) for letter in part) for part in parts]
    patterns[0] = _ANY + patterns[0]
    patterns[-1] += _ANY
    return patterns


def _letter(letter: str, *, ignore_case: bool) -> str:
    if ignore_case and letter.lower() != letter.upper():
        return f"[{letter.lower()}{letter.upper()}]"
    return letter if letter.isalnum() else "\\" + letter


def _by_grams(phrase: str, field: str, ignore_case: bool) -> list[Json]:
    """Write that a text has a phrase anywhere in it, by its groups of three letters, one behind the other."""
    if len(phrase) < _GRAM:
        either: list[Json] = [{"prefix": {field: each}} for each in _spellings(phrase, ignore_case=ignore_case)]
        return [{"bool": {"should": either}}]
    if not ignore_case:
        return [{"match_phrase": {field: phrase}}]
    groups = [phrase[at : at + _GRAM] for at in range(len(phrase) - _GRAM + 1)]
    intervals: list[Json] = [
        {
            "any_of": {
                "intervals": [
                    {"match": {"query": spelt, "analyzer": "keyword"}} for spelt in _spellings(group, ignore_case=True)
                ]
            }
        }
        for group in groups
    ]
    return [{"intervals": {field: {"all_of": {"intervals": intervals, "ordered": True, "max_gaps": 0}}}}]


def _spellings(letters: str, *, ignore_case: bool) -> Sequence[str]:
    if not ignore_case:
        return [letters]
    each = [sorted({one for one in (letter, letter.lower(), letter.upper()) if len(one) == 1}) for letter in letters]
    return ["".join(spelt) for spelt in itertools.product(*each)]
