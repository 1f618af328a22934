"""What a Micro Integrator's refusals about users mean, and what nobody is to read in them."""

import json

import pytest
from pilothouse.domain.mi_users import FIXES, SENTENCES, UserRefusal, hide, refusal_of


@pytest.mark.parametrize(
    ("status", "words", "meaning"),
    [
        (403, "User management is not supported with the file-based user store.", UserRefusal.STORE_FIXED),
        (500, "Invalid operation. User store is read only", UserRefusal.STORE_FIXED),
        (400, "User: grace already exists.", UserRefusal.EXISTS),
        (500, "Only super admin user can delete admins", UserRefusal.PROTECTED),
        (500, "Attempt to delete the logged in user.", UserRefusal.PROTECTED),
        (404, "", UserRefusal.NOT_FOUND),
        (403, "Only administrators may do this", None),
        (500, "Synapse is not itself today", None),
        (400, "The password does not match the pattern", None),
    ],
)
def test_words_and_status_tell_which_refusal_it_is(status: int, words: str, meaning: UserRefusal | None) -> None:
    assert refusal_of(status, words) is meaning


def test_every_refusal_has_a_sentence_and_a_fix() -> None:
    assert set(SENTENCES) == set(FIXES) == set(UserRefusal)


@pytest.mark.parametrize("secret", ["plain-one", 'with-"quotes"', "back\\slash", "ünï-cödé"])
def test_a_secret_is_taken_out_as_it_is_and_as_json_writes_it(secret: str) -> None:
    answer = f"{secret} {json.dumps(secret)} {json.dumps(secret, ensure_ascii=False)}".encode()
    left = hide(answer, secret)
    assert secret.encode() not in left
    assert json.dumps(secret)[1:-1].encode() not in left
    assert left.count(b"(hidden)") == 3


def test_without_a_secret_an_answer_stays_as_it_is() -> None:
    assert hide(b"anything", None) == b"anything"
