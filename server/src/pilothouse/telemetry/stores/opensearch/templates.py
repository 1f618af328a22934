"""How records lie in the cluster: names of data streams, templates, mappings, policies."""

import hashlib
import re
from typing import Any, TypeAlias

from pilothouse.telemetry.store import RecordSort

Json: TypeAlias = dict[str, Any]  # Any: OpenSearch's own language
SORTS: tuple[RecordSort, ...] = ("logs", "metrics", "spans")
TEMPLATE_VERSION = 3
WORD_CHARACTERS_MAX = 200
"""Longer words are not in the index of words; a message that has one is in the index of three letters."""
ROWS_MAX = 20_001
"""Rows of one answer of the cluster."""

PAD = "\x03\x03"
"""Behind every such message, so that its last letters begin a group of three as well."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}\Z")
_UNCLAIMED = "unclaimed"
_KEYWORD: Json = {"type": "keyword", "ignore_above": 8_191}
_FOUND_BY: Json = {"type": "keyword", "doc_values": False, "ignore_above": 8_191}
"""What is asked for, and neither sorted nor counted by."""
_KEPT: Json = {"type": "keyword", "index": False, "doc_values": False}
_ORIGIN: Json = {
    **dict.fromkeys(("project_id", "integration_id", "environment_id", "runtime_id"), _KEYWORD),
    "runtime_key": {"type": "long", "index": False, "doc_values": False},
}
_ORIGIN_OF_LINES: Json = {
    **_ORIGIN,
    **dict.fromkeys(("project_id", "integration_id", "runtime_id"), _FOUND_BY),
}
_ATTRIBUTES: Json = {"attributes": {"type": "object", "enabled": False}, "attribute": _FOUND_BY}
_GRAMS: Json = {
    "type": "text",
    "analyzer": "pilothouse_grams",
    "search_analyzer": "pilothouse_grams_asked",
    "norms": False,
    "index_options": "positions",
}
_TIMES: Json = {"@timestamp": {"type": "date"}, "at_ns": {"type": "long"}, "number": {"type": "long"}}

MAPPINGS: dict[RecordSort, Json] = {
    "logs": {
        **_TIMES,
        **_ORIGIN_OF_LINES,
        **_ATTRIBUTES,
        "severity": {"type": "byte", "index": False, "doc_values": False},
        "level": _KEYWORD,
        "message": {
            "type": "text",
            "index": False,
            "fields": {
                "parts": {
                    "type": "text",
                    "analyzer": "pilothouse_parts",
                    "norms": False,
                    "index_options": "positions",
                }
            },
        },
        "overlong": _GRAMS,
        "logger": _FOUND_BY,
        "trace_id": {"type": "keyword", "doc_values": False},
        "span_id": _KEPT,
    },
    "metrics": {
        "@timestamp": {"type": "date"},
        "minute": {"type": "date"},
        "at_ns": {"type": "long"},
        **_ORIGIN,
        **dict.fromkeys(("name", "kind", "service", "resource", "status"), _KEYWORD),
        "failed": {"type": "boolean"},
        "outbound": {"type": "boolean"},
        "count": {"type": "long", "index": False},
        "zeros": {"type": "long", "index": False},
        **{name: {"type": "double", "index": False} for name in ("sum", "low", "high")},
        "buckets": {"type": "long", "index": False},
    },
    "spans": {
        **_TIMES,
        **_ORIGIN_OF_LINES,
        "attributes": {"type": "object", "enabled": False},
        "duration_ns": {"type": "long"},
        "trace_id": {"type": "keyword", "doc_values": False},
        "span_id": _KEPT,
        "parent_id": _KEPT,
        "name": _KEYWORD,
        "kind": _KEYWORD,
        "service": _KEYWORD,
        "failed": {"type": "boolean"},
        "status": _FOUND_BY,
    },
}

ADDED: dict[RecordSort, Json] = {"spans": {"status": MAPPINGS["spans"]["status"]}}
"""Members that streams from before do not know yet: they are told of them, and what comes from then on is found by them."""

_ANALYSIS: Json = {
    "char_filter": {"pilothouse_pad": {"type": "pattern_replace", "pattern": r"(?s)\z", "replacement": PAD}},
    "tokenizer": {
        "pilothouse_three": {"type": "ngram", "min_gram": 3, "max_gram": 3},
        "pilothouse_part": {"type": "simple_pattern", "pattern": "[A-Za-z0-9_\\-]+|[^A-Za-z0-9_\\-]+"},
    },
    "filter": {"pilothouse_short": {"type": "length", "max": WORD_CHARACTERS_MAX}},
    "analyzer": {
        "pilothouse_grams": {"type": "custom", "tokenizer": "pilothouse_three", "char_filter": ["pilothouse_pad"]},
        "pilothouse_grams_asked": {"type": "custom", "tokenizer": "pilothouse_three"},
        "pilothouse_parts": {"type": "custom", "tokenizer": "pilothouse_part", "filter": ["pilothouse_short"]},
    },
}


def template(prefix: str, sort: RecordSort) -> Json:
    """Write the index template of one sort of records."""
    return {
        "index_patterns": [f"{prefix}-{sort}-*"],
        "data_stream": {},
        "priority": 300,
        "version": TEMPLATE_VERSION,
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": 1,
                    "auto_expand_replicas": "0-1",
                    "codec": "best_compression",
                    "refresh_interval": "30s",
                    "translog": {"durability": "request"},
                    "max_result_window": ROWS_MAX,
                    **({"analysis": _ANALYSIS} if sort == "logs" else {}),
                }
            },
            "mappings": {"dynamic": False, "properties": MAPPINGS[sort]},
        },
    }


def policy(prefix: str, sort: RecordSort, *, age_days: int) -> Json:
    """Write a policy for OpenSearch's Index State Management, for those who want it to remove what is old."""
    return {
        "policy": {
            "description": f"Telemetry of Pilothouse ({sort}): a new index a day, removed after {age_days} days.",
            "default_state": "written",
            "states": [
                {
                    "name": "written",
                    "actions": [{"rollover": {"min_index_age": "1d", "min_primary_shard_size": "20gb"}}],
                    "transitions": [{"state_name": "removed", "conditions": {"min_index_age": f"{age_days + 1}d"}}],
                },
                {"name": "removed", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{prefix}-{sort}-*"], "priority": 300}],
        }
    }


def stream_of(prefix: str, sort: RecordSort, environment_id: str | None) -> str:
    """Name the data stream of an environment's records; what cannot be a name is replaced by its digest."""
    if environment_id is None:
        return f"{prefix}-{sort}-{_UNCLAIMED}"
    plain = _PLAIN.match(environment_id) is not None
    name = environment_id if plain else "~" + hashlib.sha256(environment_id.encode()).hexdigest()[:32]
    return f"{prefix}-{sort}-env-{name}"


def streams_of(prefix: str, sort: RecordSort) -> str:
    """Name all data streams of one sort."""
    return f"{prefix}-{sort}-*"
