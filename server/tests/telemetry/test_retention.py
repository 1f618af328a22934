"""How an operator writes what is kept."""

import pytest
from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.retention import parse_keep
from pilothouse.telemetry.store import Retention

DAY_S = 86_400.0


def test_the_nearest_rule_counts():
    rules = parse_keep("logs=14d metrics=90d prod.logs=30d/50GB dev.spans=6h").with_ids({"prod": "p", "dev": "d"})
    assert rules.of("logs", None) == rules.of("logs", "d") == Retention(age_s=14 * DAY_S)
    assert rules.of("logs", "p") == Retention(age_s=30 * DAY_S, size_bytes=50 * 10**9)
    assert rules.of("metrics", "p") == Retention(age_s=90 * DAY_S)
    assert rules.of("spans", "d") == Retention(age_s=6 * 3_600)
    assert rules.of("spans", "p") == Retention()


def test_a_rule_of_an_environment_that_there_is_not_does_nothing():
    assert parse_keep("prod.logs=1d").with_ids({}).of("logs", "p") == Retention()


@pytest.mark.parametrize(
    "text",
    [
        "logs",
        "logs=14",
        "logs=0d",
        "logs=4000d",
        "lines=3d",
        "logs=1d logs=2d",
        "logs=1d/5",
        ".logs=1d",
        "logs=1d,spans=2d",
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_keep(text)
