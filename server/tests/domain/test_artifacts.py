"""Artifacts and their sets: canonical, content-addressed, readable after storage and after a change of release."""

import hashlib
import json
import random
import zlib
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pilothouse.domain.artifacts as package
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.domain.artifacts import KINDS, Base, Member, artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet, decode, digest, encode, pack
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.domain.artifacts.carbon_app import CarbonApp
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.artifacts.template import Template

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(codec="utf-8"), max_size=6),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    if NoneType in get_args(hint):
        return st.none() | values_of(next(arg for arg in get_args(hint) if arg is not NoneType))
    if issubclass(hint, (Member, Base)):
        return structs(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    return st.sampled_from(list(hint))


def structs(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: values_of(hint) for name, hint in get_type_hints(kind).items()})


artifacts = st.lists(st.one_of(*map(structs, KINDS)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(found=artifacts)
def test_a_set_is_the_same_after_storage(found: list[Any]) -> None:
    kept = ArtifactSet.of(found)
    assert decode(encode(kept)) == kept
    assert decode(pack(encode(kept))) == kept


@settings(max_examples=300, deadline=None)
@given(found=artifacts, order=st.randoms(use_true_random=False))
def test_equal_sets_have_one_document_and_one_digest(found: list[Any], order: random.Random) -> None:
    kept = ArtifactSet.of(found)
    shuffled = list(kept.artifacts)
    order.shuffle(shuffled)
    again = ArtifactSet.of(shuffled)
    assert again == kept
    assert digest(encode(again)) == digest(encode(kept))


@settings(max_examples=200, deadline=None)
@given(one=artifacts, other=artifacts)
def test_different_sets_have_different_digests(one: list[Any], other: list[Any]) -> None:
    first, second = ArtifactSet.of(one), ArtifactSet.of(other)
    assert (digest(encode(first)) == digest(encode(second))) == (first == second)


def test_a_digest_is_the_sha_256_of_the_document() -> None:
    document = encode(ArtifactSet.of([Listener(name="l")]))
    assert document == b'[{"kind":"listener","name":"l"}]'
    assert digest(document) == hashlib.sha256(document).hexdigest()


def test_of_two_artifacts_with_one_identity_the_last_stays() -> None:
    kept = ArtifactSet.of(
        [Service(name="s", package="p", base_path="/a"), Service(name="s", package="p", base_path="/b")]
    )
    assert [service.base_path for service in kept.services] == ["/b"]


def test_what_may_share_a_name_does() -> None:
    kept = ArtifactSet.of(
        [
            CarbonApp(name="a", version="1"),
            CarbonApp(name="a", version="2"),
            Template(name="a", template_type="endpoint"),
            Template(name="a", template_type="sequence"),
            Service(name="a", package="p"),
            Service(name="a", package="q"),
            Listener(name="a", package="p"),
        ]
    )
    assert kept.count == 7


def test_a_set_answers_for_each_kind() -> None:
    kept = ArtifactSet.of([Service(name="b"), Listener(name="l"), Service(name="a"), Automation(name="m")])
    assert [service.name for service in kept.services] == ["a", "b"]
    assert [listener.name for listener in kept.listeners] == ["l"]
    assert kept.all(CarbonApp) == ()
    assert kept.automation == Automation(name="m")
    assert (kept.count, kept.is_empty) == (4, False)
    assert ArtifactSet.of([]).is_empty
    assert ArtifactSet().automation is None


def test_an_empty_set_has_a_document() -> None:
    assert encode(ArtifactSet()) == b"[]"
    assert decode(b"[]") == ArtifactSet()


def test_documents_of_other_releases_are_read() -> None:
    """A field that went is ignored; a field that came has its default."""
    document = json.dumps([{"kind": "service", "name": "s", "gone": {"deep": [1]}}]).encode()
    assert decode(document).services == (Service(name="s"),)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_but_the_name_has_a_default_so_that_old_documents_stay_readable(kind: type[Base]) -> None:
    assert [field.name for field in msgspec.structs.fields(kind) if field.required] == ["name"]


@pytest.mark.parametrize(
    "document", [b"", b"{}", b'[{"kind":"no-such-kind","name":"x"}]', b"[{}]", b"x\x9cbroken", b"null"]
)
def test_what_is_no_document_is_an_error(document: bytes) -> None:
    with pytest.raises((ValueError, zlib.error)):
        decode(document)


def test_packing_makes_documents_of_many_services_much_smaller() -> None:
    document = encode(ArtifactSet.of([Service(name=f"service_{n}", package="acme/orders:1") for n in range(50)]))
    assert len(pack(document)) < len(document) / 4


def test_one_file_holds_one_kind_and_every_kind_is_in_the_union() -> None:
    folder = Path(package.__file__).parent
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py")} - {"--init--", "base", "artifact-set"}
    assert files == {str(kind.__struct_config__.tag) for kind in KINDS}


def test_artifacts_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Service(name="s").name = "t"  # type: ignore[misc]
    assert artifact_set.digest(b"") == hashlib.sha256(b"").hexdigest()


def test_a_set_that_many_report_is_encoded_once() -> None:
    one = ArtifactSet.of([Automation(name="nightly")])
    assert one.document == encode(one)
    assert one.document is one.document
    assert one.digest == digest(one.document)
