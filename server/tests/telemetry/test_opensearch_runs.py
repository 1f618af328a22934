"""That the real OpenSearch server of the tests runs, and how it behaves where our store leans on it."""

import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from opensearch_server import RunningOpenSearch, running_opensearch

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("opensearch"), pytest.mark.timeout(900)]

STREAM = "pilothouse-logs-prod"
MINUTE = 60_000
START = 1_750_000_020_000
"""A whole minute, so that the buckets of a histogram are known."""
KEYWORD = {"type": "keyword", "fields": {"keyword": {"type": "keyword"}}}
"""Both ways of asking, bare and by `.keyword`, find it."""


def caller(running: RunningOpenSearch, password: str | None = None) -> httpx2.Client:
    return httpx2.Client(
        base_url=running.url, auth=(running.user, password or running.password), verify=running.tls, timeout=60
    )


@pytest.fixture
def client(opensearch: RunningOpenSearch) -> Iterator[httpx2.Client]:
    with caller(opensearch) as made:
        yield made
        made.delete("/_data_stream/*")
        made.delete("/ballerina-*,template-free-*")


def told(answer: httpx2.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def bulk(client: httpx2.Client, target: str, records: list[dict[str, Any]], action: str = "create") -> None:
    body = "".join(f"{json.dumps({action: {}})}\n{json.dumps(each)}\n" for each in records)
    headers = {"content-type": "application/x-ndjson"}
    done = told(client.post(f"/{target}/_bulk?refresh=true", content=body, headers=headers))
    assert not done["errors"], done


def hits(client: httpx2.Client, target: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    found = told(client.post(f"/{target}/_search", json={"query": query, "size": 1_000}))
    return [each["_source"] for each in found["hits"]["hits"]]


def lines(count: int) -> list[dict[str, Any]]:
    """Ten lines at each millisecond, a second between two milliseconds."""
    return [
        {
            "@timestamp": START + number // 10 * 1_000,
            "level": "ERROR" if number % 5 == 0 else "INFO",
            "icp_runtimeId": f"runtime-{number % 3}",
            "message": f"order {number} took {number} ms",
            "duration_ms": number,
        }
        for number in range(count)
    ]


@pytest.fixture
def stream(client: httpx2.Client) -> str:
    """A data stream of 1,200 lines over two minutes."""
    template = {
        "index_patterns": ["pilothouse-logs-*"],
        "data_stream": {},
        "priority": 200,
        "template": {
            "settings": {"number_of_shards": 1, "number_of_replicas": 0},
            "mappings": {
                "properties": {
                    "@timestamp": {"type": "date"},
                    "level": KEYWORD,
                    "icp_runtimeId": KEYWORD,
                    "message": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 8_191}}},
                    "duration_ms": {"type": "long"},
                }
            },
        },
    }
    told(client.put("/_index_template/pilothouse-logs", json=template))
    bulk(client, STREAM, lines(1_200))
    return STREAM


def test_it_is_the_real_server_and_tells_its_version(client: httpx2.Client) -> None:
    said = told(client.get("/"))
    assert (said["version"]["distribution"], said["version"]["number"]) == ("opensearch", "2.19.4")


def test_its_modules_and_the_security_plugin_are_loaded(client: httpx2.Client) -> None:
    (node,) = told(client.get("/_nodes/plugins"))["nodes"].values()
    assert [each["name"] for each in node["plugins"]] == ["opensearch-security"]
    assert {"analysis-common", "ingest-common", "lang-painless", "reindex"} <= {
        each["name"] for each in node["modules"]
    }


def test_a_wrong_password_is_refused(opensearch: RunningOpenSearch) -> None:
    with caller(opensearch, password="another") as stranger:
        assert stranger.get("/").status_code == 401


def test_its_certificate_is_trusted_by_nobody_who_lacks_its_authority(opensearch: RunningOpenSearch) -> None:
    with (
        httpx2.Client(verify=ssl.create_default_context()) as client,
        pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(opensearch.url)


def test_writing_to_a_name_of_the_template_makes_a_data_stream(client: httpx2.Client, stream: str) -> None:
    (found,) = told(client.get(f"/_data_stream/{stream}"))["data_streams"]
    assert found["indices"][0]["index_name"] == f".ds-{stream}-000001"


def test_a_data_stream_takes_no_line_without_a_time(client: httpx2.Client, stream: str) -> None:
    assert client.post(f"/{stream}/_doc", json={"message": "when?"}).status_code == 400


def test_pages_over_a_point_in_time_skip_and_repeat_nothing_at_equal_times(client: httpx2.Client, stream: str) -> None:
    pit = told(client.post(f"/{stream}/_search/point_in_time?keep_alive=1m"))["pit_id"]
    bulk(client, stream, lines(50))  # later than the point in time: not to be seen
    seen: list[int] = []
    page: dict[str, Any] = {
        "size": 7,
        "pit": {"id": pit, "keep_alive": "1m"},
        "sort": [{"@timestamp": "desc"}, {"_id": "asc"}],
    }
    while found := told(client.post("/_search", json=page))["hits"]["hits"]:
        seen += [each["_source"]["duration_ms"] for each in found]
        page["search_after"] = found[-1]["sort"]
    assert sorted(seen) == list(range(1_200))
    told(client.request("DELETE", "/_search/point_in_time", json={"pit_id": [pit]}))


def test_a_histogram_of_levels_counts_each_minute(client: httpx2.Client, stream: str) -> None:
    aggregations = {
        "over_time": {
            "date_histogram": {"field": "@timestamp", "fixed_interval": "1m"},
            "aggs": {"levels": {"terms": {"field": "level.keyword"}}},
        }
    }
    found = told(client.post(f"/{stream}/_search", json={"size": 0, "aggs": aggregations}))
    buckets = found["aggregations"]["over_time"]["buckets"]
    counted = [
        (each["key"], {level["key"]: level["doc_count"] for level in each["levels"]["buckets"]}) for each in buckets
    ]
    assert counted == [(START, {"INFO": 480, "ERROR": 120}), (START + MINUTE, {"INFO": 480, "ERROR": 120})]


@pytest.mark.parametrize("method", [{}, {"hdr": {"number_of_significant_value_digits": 3}}])
def test_percentiles_are_near_the_truth(client: httpx2.Client, stream: str, method: dict[str, Any]) -> None:
    asked = {"p": {"percentiles": {"field": "duration_ms", "percents": [50, 95, 99], **method}}}
    found = told(client.post(f"/{stream}/_search", json={"size": 0, "aggs": asked}))["aggregations"]["p"]["values"]
    assert list(found.values()) == pytest.approx([599.5, 1_139, 1_187], rel=0.01)


def test_a_composite_is_followed_to_its_end(client: httpx2.Client, stream: str) -> None:
    groups: list[dict[str, str]] = []
    sources = [
        {name: {"terms": {"field": f"{name}.keyword", "missing_bucket": True}}} for name in ("icp_runtimeId", "level")
    ]
    composite: dict[str, Any] = {"size": 4, "sources": sources}
    while True:
        asked = {"size": 0, "aggs": {"groups": {"composite": composite}}}
        found = told(client.post(f"/{stream}/_search", json=asked))["aggregations"]["groups"]
        groups += [each["key"] for each in found["buckets"]]
        if "after_key" not in found:
            break
        composite["after"] = found["after_key"]
    assert len(groups) == 6


def test_phrases_and_regular_expressions_find_their_lines(client: httpx2.Client, stream: str) -> None:
    assert [each["duration_ms"] for each in hits(client, stream, {"match_phrase": {"message": "order 77 took"}})] == [
        77
    ]
    by_word = hits(client, stream, {"regexp": {"message": "110[0-4]"}})
    whole_line = hits(client, stream, {"regexp": {"message.keyword": "order 110[0-4] took .* ms"}})
    assert (
        {each["duration_ms"] for each in by_word}
        == {each["duration_ms"] for each in whole_line}
        == {*range(1_100, 1_105)}
    )


def test_a_regular_expression_on_text_sees_single_words_only(client: httpx2.Client, stream: str) -> None:
    assert hits(client, stream, {"regexp": {"message": "order 110.*"}}) == []


def test_a_regular_expression_that_explodes_is_refused(client: httpx2.Client, stream: str) -> None:
    exploding = {"regexp": {"message.keyword": "[a-z ]*o[a-z ]{40}"}}
    refused = client.post(f"/{stream}/_search", json={"query": exploding})
    assert (refused.status_code, "too_complex" in refused.text) == (400, True), refused.text
    too_long = client.post(f"/{stream}/_search", json={"query": {"regexp": {"message": "a" * 1_001}}})
    assert too_long.status_code == 400, too_long.text


def test_without_a_template_only_the_keyword_field_finds_a_level(client: httpx2.Client) -> None:
    """The keyword trap: what is mapped by guess is text, in small letters."""
    bulk(client, "template-free-2025.06.15", [{"level": "ERROR", "icp_runtimeId": "Order-Service-1"}], "index")
    for field, value in (("level", "ERROR"), ("icp_runtimeId", "Order-Service-1")):
        assert hits(client, "template-free-*", {"terms": {field: [value]}}) == []
        assert len(hits(client, "template-free-*", {"terms": {f"{field}.keyword": [value]}})) == 1


def test_a_keyword_field_without_a_sub_field_leaves_keyword_questions_empty(client: httpx2.Client) -> None:
    told(client.put("/ballerina-metrics-logs-1", json={"mappings": {"properties": {"level": {"type": "keyword"}}}}))
    bulk(client, "ballerina-metrics-logs-1", [{"level": "ERROR"}], "index")
    assert hits(client, "ballerina-metrics-logs-*", {"term": {"level.keyword": "ERROR"}}) == []
    assert len(hits(client, "ballerina-metrics-logs-*", {"term": {"level": "ERROR"}})) == 1


def test_old_lines_go_by_rolling_over_and_deleting_the_older_index(client: httpx2.Client, stream: str) -> None:
    rolled = told(client.post(f"/{stream}/_rollover", json={"conditions": {"max_docs": 1_000}}))
    assert rolled["rolled_over"]
    bulk(client, stream, [{"@timestamp": START + 60 * MINUTE, "message": "young"}])
    youngest = {"size": 0, "aggs": {"at": {"max": {"field": "@timestamp"}}}}
    at = {
        index: told(client.post(f"/{index}/_search", json=youngest))["aggregations"]["at"]["value"]
        for index in (rolled["old_index"], rolled["new_index"])
    }
    (old,) = [index for index, when in at.items() if when < START + 30 * MINUTE]
    told(client.delete(f"/{old}"))
    assert [each["message"] for each in hits(client, stream, {"match_all": {}})] == ["young"]


def test_the_index_that_is_written_to_cannot_be_deleted(client: httpx2.Client, stream: str) -> None:
    assert client.delete(f"/.ds-{stream}-000001").status_code == 400


def test_single_lines_go_by_query_where_an_index_holds_young_ones_too(client: httpx2.Client, stream: str) -> None:
    query = {"query": {"range": {"@timestamp": {"lt": START + MINUTE}}}}
    assert told(client.post(f"/{stream}/_delete_by_query?refresh=true", json=query))["deleted"] == 600
    assert len(hits(client, stream, {"match_all": {}})) == 600


def test_there_is_no_index_state_management(client: httpx2.Client) -> None:
    """Its plugin is not published where jars are: policies are sent to a stand-in, and marked so."""
    refused = client.put("/_plugins/_ism/policies/any", json={})
    assert (refused.status_code, "no handler found" in refused.text) == (400, True)


def test_size_by_index_is_told_for_retention(client: httpx2.Client, stream: str) -> None:
    told(client.post(f"/{stream}/_flush"))
    sizes = told(client.get(f"/_cat/indices/.ds-{stream}-*?format=json&bytes=b&expand_wildcards=all"))
    assert all(int(each["store.size"]) > 0 for each in sizes)


def test_it_starts_small_stops_cleanly_and_leaves_nothing(tmp_path: Path) -> None:
    with running_opensearch(tmp_path) as running, caller(running) as client:
        assert told(client.get("/_cluster/health"))["status"] in {"green", "yellow"}
        port = httpx2.URL(running.url).port
        used = psutil.Process(running.process_id)
        computing_s, resident_mb = sum(used.cpu_times()[:2]), used.memory_info().rss / 1e6
        assert (computing_s < 60, resident_mb < 700) == (True, True), f"{computing_s:.1f} s, {resident_mb:.0f} MB"
    assert not psutil.pid_exists(running.process_id)
    assert not [each for each in psutil.process_iter() if str(tmp_path) in str(cmdline(each))]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0), 1)
    assert list((running.home / "tmp").iterdir()) == []
    shutil.rmtree(running.home)


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
