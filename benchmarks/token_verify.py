"""What checking a runtime's token costs: ours against PyJWT and joserfc, the same token and rules, in the same run.

Run it with the server on the path and both libraries installed: `python benchmarks/token_verify.py`.
Compare only within a run.
"""

import time
from collections.abc import Callable
from statistics import median

import joserfc.jwt
import jwt
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry
from pilothouse.protocol.token import SigningKey, TokenReader, TokenRules

ROUNDS = 15
CALLS = 2_000
MATERIAL = b"material-of-a-key-that-is-forty-four-bytes.."


def cost_us(check: Callable[[], object]) -> tuple[float, float]:
    """Median and least cost of a call, in microseconds of CPU."""
    costs: list[float] = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(CALLS):
            check()
        costs.append((time.process_time() - begin) / CALLS * 1e6)
    return median(costs), min(costs)


def main() -> None:
    """Print a table."""
    now = time.time()
    claims = {
        "iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent",
        "exp": int(now) + 3600, "nbf": int(now) - 1, "iat": int(now) - 1,
    }  # fmt: skip
    token = jwt.encode(claims, MATERIAL, "HS256", {"kid": "a1b2c3d4"})
    authorization = f"Bearer {token}"
    reader, key = TokenReader(TokenRules()), SigningKey(MATERIAL)
    jose_key, registry = OctKey.import_key(MATERIAL), JWSRegistry(algorithms=["HS256"])
    jose_rules = joserfc.jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": claims["iss"]},
        aud={"essential": True, "value": claims["aud"]},
        exp={"essential": True},
        scope={"essential": True, "value": claims["scope"]},
    )

    def ours() -> None:
        reader.key_id(authorization)
        reader.verify(authorization, key, now)

    def with_joserfc() -> None:
        jose_rules.validate(joserfc.jwt.decode(token, jose_key, registry=registry).claims)

    def with_pyjwt() -> None:
        jwt.get_unverified_header(token)
        read = jwt.decode(token, MATERIAL, ["HS256"], issuer=claims["iss"], audience=[str(claims["aud"])], leeway=60)
        assert read["scope"] == claims["scope"]

    ours()
    base, _ = cost_us(ours)
    print(f"token of {len(token)} bytes, {ROUNDS} x {CALLS} calls      median      min    ratio")
    for name, check in (("ours", ours), ("joserfc", with_joserfc), ("PyJWT", with_pyjwt)):
        middle, least = cost_us(check)
        print(f"{name:<40} {middle:8.2f} {least:8.2f} {middle / base:8.1f}")


if __name__ == "__main__":
    main()
