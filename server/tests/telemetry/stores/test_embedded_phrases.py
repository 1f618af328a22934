"""A phrase is found as a plain look at every message finds it: in memory, in a file, and in a file without words."""

import random
import shutil
from pathlib import Path

import duckdb
import pytest
from conftest_stores import small
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.model import LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import LogFilter, LogQuestion, Scope
from pilothouse.telemetry.stores.embedded.asking import Asking, sources
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import UNKNOWN
from pilothouse.telemetry.stores.embedded.keeper import open_database
from pilothouse.telemetry.stores.embedded.narrowing import Piece, blocks_with, piece_of, rarest_end, within
from pilothouse.telemetry.stores.embedded.packed import pack, unpack
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings
from pilothouse.telemetry.stores.embedded.shelf import Shelf

pytestmark = pytest.mark.anyio

ALL = Scope.within(EVERYTHING)
HERE = Origin(project_id="p", integration_id="orders", environment_id="prod", runtime_id="r")
KELVIN, DOTTED = "\u212a", "\u0130"
WORDS = [
    "connect",
    "Connecting",
    "order-77",
    "x_y-z",
    "größer",
    "ÜBERSICHT",
    "abc",
    "(a|b)*",
    "100%",
    f"{KELVIN}elvin-scale",
    f"d{DOTTED}spatcher",
    "Kelvin-scales",
    "ΟΔΟΣ",
]
BETWEEN = [" ", "  ", "\t", ", ", "=", "/", ".", "é", "…", "'"]


def lowered(text: str) -> str:
    """Each letter by itself, as the store does it."""
    return "".join("i" if letter == DOTTED else letter.lower() for letter in text)


def matches(message: str, phrase: str, *, ignore_case: bool) -> bool:
    return lowered(phrase) in lowered(message) if ignore_case else phrase in message


def said(dice: random.Random) -> list[str]:
    """Three blocks that say much the same, and in the second something by itself."""
    rows = ["".join(dice.choice(WORDS[:6]) + dice.choice(BETWEEN) for _ in range(9)) for _ in range(40)]
    blocks = [[dice.choice(rows) for _ in range(2_048)] for _ in range(3)]
    for at in range(0, 2_048, 7):
        blocks[1][at] = "".join(dice.choice(WORDS) + dice.choice(BETWEEN) for _ in range(9))
    blocks[2][5] = f"took ord-{dice.getrandbits(40):010x} away, status=ok"
    return [message for block in blocks for message in block]


def asked(dice: random.Random, messages: list[str]) -> list[LogFilter]:
    filters: list[LogFilter] = []
    for _ in range(25):
        message = messages[5 + 2 * 2_048] if dice.random() < 0.2 else dice.choice(messages)
        begin, length = dice.randrange(len(message)), dice.choice([1, 2, 3, 6, 8, 12, 20])
        phrase = message[begin : begin + length]
        filters += [LogFilter(phrase=phrase), LogFilter(phrase=phrase.swapcase(), ignore_case=True)]
    nowhere = ["nowhere-to-be-found", "onnecti ", " onnect", "7/rder-", "ord-", "z", "  order-77  nothing", "\u0000"]
    return [*filters, *(LogFilter(phrase=one, ignore_case=case) for one in nowhere for case in (False, True))]


async def counts(store: EmbeddedStore, filters: list[LogFilter]) -> list[int]:
    return [await store.count_logs(ALL, one, timeout_s=60) for one in filters]


@pytest.mark.parametrize("seed", [21, 22])
async def test_a_phrase_is_found_as_a_look_at_every_message_finds_it(tmp_path, seed):
    dice = random.Random(seed)  # noqa: S311
    messages = said(dice)
    filters = asked(dice, messages)
    found = [[one for one in messages if matches(one, f.phrase, ignore_case=f.ignore_case)] for f in filters]
    expected = [len(one) for one in found]
    store = await EmbeddedStore.open(small(tmp_path / "store"))
    await store.append_logs(
        [LogBatch(HERE, [LogRecord(at_ns=n * 10**9, message=one) for n, one in enumerate(messages)])]
    )
    assert await counts(store, filters) == expected
    await store.close()
    shutil.copytree(tmp_path / "store", tmp_path / "before")
    [path] = (tmp_path / "before" / "logs" / "prod").glob("*.duckdb")
    with duckdb.connect(path) as file:
        words = file.execute("SELECT words FROM logs WHERE words <> ''").fetchall()
        assert {text == UNKNOWN for (text,) in words} == {True, False}  # both are tried
        file.execute("ALTER TABLE logs DROP COLUMN words")
        file.execute("UPDATE meta SET engine = 'crc32/16+'")
    for name in ("store", "before"):
        store = await EmbeddedStore.open(small(tmp_path / name))
        assert await counts(store, filters) == expected
        for newest_first in (True, False):
            for wanted, lines in list(zip(filters, found, strict=True))[::5]:
                question = LogQuestion(scope=ALL, filter=wanted, newest_first=newest_first, limit=50)
                page = await store.logs(question)
                first = lines[::-1][:50] if newest_first else lines[:50]
                assert ([line.record.message for line in page.lines], page.more) == (first, len(lines) > 50)
        await store.close()


def shelved(
    folder: Path, database: duckdb.DuckDBPyConnection, settings: EmbeddedSettings, messages: list[str]
) -> Shelf:
    shelf = Shelf(database, Sort.LOGS, folder, settings)
    [run] = unpack(pack([LogBatch(HERE, [LogRecord(at_ns=n, message=one) for n, one in enumerate(messages)])]), 0)
    shelf.take(0, run.count, run.numbered(shelf.label), 1)
    shelf.flush(1)
    return shelf


def test_only_blocks_with_a_word_that_has_the_piece_are_read_and_those_whose_words_are_not_kept(tmp_path):
    messages = [f"order {n % 9} of the customer was accepted, and delivered" for n in range(70 * 2_048)]
    messages[3 * 2_048 + 1] = "took ord-77aab away"
    messages[5 * 2_048 + 2] = f"20 degrees {KELVIN}elvin"
    messages[6 * 2_048 : 7 * 2_048] = [f"unlike-{n:020d}-any" for n in range(2_048)]
    settings = small(tmp_path)
    database = open_database(settings)
    shelf = shelved(tmp_path / "logs", database, settings, messages)
    asking = Asking(database, 30)
    with sources(asking, ALL, Sort.LOGS, [shelf]) as [source]:

        def blocks(phrase: str, *, ignore_case: bool = False) -> list[int] | None:
            piece = piece_of(LogFilter(phrase=phrase, ignore_case=ignore_case))
            assert piece is not None
            return blocks_with(asking, source, piece, None)

        assert blocks("rd-77aa") == [3, 5, 6]
        assert blocks("RD-77AA", ignore_case=True) == [3, 5, 6]
        assert blocks("rd-77aab away") == [3, 5, 6]
        assert blocks("rd-77aa away") == [5, 6]
        assert blocks("kelvin", ignore_case=True) == [5, 6]
        assert blocks("ccepted") is None  # nearly everywhere
        assert blocks_with(asking, source, Piece("rd-77aa", ignore_case=False), [3, 4]) == [3]
    asking.close()
    shelf.close()
    database.close()


PIECES = [
    ("connect", False, "connect"),
    (" connecting, ", False, None),  # whole: the index has it
    (" connecting, ", True, " connecting "),
    ("onnect to ord-1234567", False, " ord-1234567"),
    ("a.connect(order", False, None),
    ("onnect/12345/vailability", False, " vailability"),
    ("12345", False, None),
    ("/12345/", False, None),
    ("élongated", True, "longated"),
    ("élongated", False, " longated"),
    ("ΟΔΟΣΟΔΟΣ", True, None),
]


def test_the_piece_that_is_looked_for_is_the_longest_that_ends_at_an_edge_of_the_phrase():
    pieces = [piece_of(LogFilter(phrase=phrase, ignore_case=case)) for phrase, case, _ in PIECES]
    assert [piece and piece.text for piece in pieces] == [text for _, _, text in PIECES]


def test_a_text_is_looked_for_by_its_rarest_character_and_never_by_its_last_two():
    assert [rarest_end(one) for one in ("rd-0123", "attempt", "no zoo", "e", "ez", "eaz", "größe", "a(b)c")] == [
        "-0123",
        "mpt",
        "zoo",
        "e",
        "ez",
        "eaz",
        "größe",
        "(b)c",
    ]


def test_only_two_letters_beyond_ascii_have_a_small_one_within_it(tmp_path):
    with duckdb.connect(tmp_path / "x.duckdb") as file:
        rows = file.execute(
            "SELECT chr(i::INTEGER) FROM range(128, 1114112) AS told(i)"
            " WHERE i NOT BETWEEN 55296 AND 57343 AND regexp_matches(lower(chr(i::INTEGER)), '[ -~]')"
        ).fetchall()
    assert sorted(rows) == [(DOTTED,), (KELVIN,)]


def test_blocks_become_few_ranges_the_near_ones_first():
    scattered = [*range(100, 130), *range(200, 4_000, 100)]
    conditions = within(scattered)
    assert conditions is not None
    assert conditions.where.count("BETWEEN") == 17
    with duckdb.connect() as file:
        rows = file.execute(
            f"SELECT DISTINCT number >> 11 FROM range(0, 8300000, 64) AS told(number){conditions.where}"
        )
        kept = {block for (block,) in rows.fetchall()}
    assert set(scattered) <= kept
    assert within([]) is None
