"""How long telemetry is kept, as an operator writes it: `logs=14d metrics=90d spans=7d prod.logs=30d/50GB`."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.store import RecordSort, Retention, Retentions

_RULE: Final = re.compile(
    r"(?:(?P<environment>[A-Za-z0-9][A-Za-z0-9._-]*)\.)?(?P<sort>logs|metrics|spans)="
    r"(?P<age>\d{1,6})(?P<unit>[hd])(?:/(?P<size>\d{1,9})(?P<of>MB|GB|TB))?"
)
_SECONDS: Final = {"h": 3_600.0, "d": 86_400.0}
_BYTES: Final = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_SORTS: Final[Mapping[str, RecordSort]] = {"logs": "logs", "metrics": "metrics", "spans": "spans"}
_AGE_S_MIN, _AGE_S_MAX = 3_600.0, 3_650 * 86_400.0


class KeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """What was written; environments by their handles."""

    by_sort: dict[RecordSort, Retention]
    by_environment: dict[str, dict[RecordSort, Retention]]

    def with_ids(self, id_by_handle: Mapping[str, str]) -> Retentions:
        """Name environments by their ids; rules of environments that there are not wait until there are."""
        return Retentions(
            by_sort=self.by_sort,
            by_environment={
                id_by_handle[handle]: rules for handle, rules in self.by_environment.items() if handle in id_by_handle
            },
        )


def parse_keep(text: str) -> KeepRules:
    """Read rules, separated by blanks; what they do not name is kept for 14 days.

    Raises: InvalidInput
    """
    by_sort: dict[RecordSort, Retention] = {}
    by_environment: dict[str, dict[RecordSort, Retention]] = {}
    for told in text.split():
        rule = _RULE.fullmatch(told)
        if rule is None:
            raise InvalidInput(f"`{told[:60]}` is no rule.", fix="A rule is `logs=14d` or `prod.logs=30d/50GB`.")
        age_s = int(rule["age"]) * _SECONDS[rule["unit"]]
        if not _AGE_S_MIN <= age_s <= _AGE_S_MAX:
            raise InvalidInput(
                f"`{told[:60]}` keeps for another time than an hour to ten years.", fix="Change the age."
            )
        kept = Retention(age_s=age_s, size_bytes=int(rule["size"]) * _BYTES[rule["of"]] if rule["size"] else None)
        rules = by_environment.setdefault(rule["environment"], {}) if rule["environment"] else by_sort
        sort = _SORTS[rule["sort"]]
        if sort in rules:
            raise InvalidInput(f"`{told[:60]}` is the second rule for the same.", fix="Leave one of them out.")
        rules[sort] = kept
    return KeepRules(by_sort=by_sort, by_environment=by_environment)
