"""The command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pilothouse_conformance import goldens, report, runner
from pilothouse_conformance.catalogue import Case, choose
from pilothouse_conformance.goldens import Golden
from pilothouse_conformance.people import CannotSignIn, sign_in
from pilothouse_conformance.verdict import Outcome, Verdict
from pilothouse_conformance.wire import Address, NoAnswer, Trust
from pilothouse_conformance.world import Options, World

import_module("pilothouse_conformance.cases")  # registers every case

_CANNOT_RUN = 2
_LEFT_SHOWN = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a server; 0 when no case failed, 1 when one did, 2 when nothing could be judged."""
    wishes = _parser().parse_args(arguments)
    try:
        chosen, messages, world = _prepare(wishes)
    except (ValueError, OSError, NoAnswer, CannotSignIn) as error:
        sys.stderr.write(f"{error}\n")
        return _CANNOT_RUN
    began = time.monotonic()

    def tell(verdict: Verdict) -> None:
        if not wishes.quiet:
            sys.stderr.write(report.line(verdict) + "\n")

    verdicts = runner.run(world, chosen, messages, jobs=wishes.jobs, tell=tell)
    took_s = time.monotonic() - began
    sys.stdout.write(_summary(world, verdicts, len(chosen), took_s))
    if wishes.json:
        report.write_json(wishes.json, world, verdicts, took_s)
    if wishes.junit:
        report.write_junit(wishes.junit, verdicts)
    return int(any(verdict.outcome is Outcome.FAILED for verdict in verdicts))


def _prepare(wishes: argparse.Namespace) -> tuple[list[Case], list[Golden], World]:
    chosen = choose(wishes.only)
    messages = goldens.read(wishes.goldens) if wishes.goldens else []
    if (wishes.fault is None) != (wishes.heal is None):
        raise ValueError("--fault and --heal go together: what is broken must be mended")
    if (wishes.mi_certificate is None) != (wishes.mi_key is None):
        raise ValueError("--mi-certificate and --mi-key go together")
    trust = Trust(ca_file=wishes.ca, insecure=wishes.insecure)
    text = sys.stdin.read() if wishes.password_file == "-" else Path(wishes.password_file).read_text(encoding="utf-8")  # noqa: S105 - a dash
    session = sign_in(Address.of(wishes.console), trust, wishes.user, text.rstrip("\r\n"))
    options = Options(
        environment=wishes.environment,
        other_environment=wishes.other_environment,
        offline_after_s=wishes.offline_after,
        patience_s=wishes.patience,
        fault=wishes.fault,
        heal=wishes.heal,
        restart=wishes.restart,
        cleartext=Address.of(wishes.cleartext) if wishes.cleartext else None,
        mi_host=wishes.mi_host,
        mi_certificate=(wishes.mi_certificate, wishes.mi_key) if wishes.mi_certificate else None,
        data=wishes.data,
        body_limit_bytes=wishes.body_limit,
        bodies_limit_bytes=wishes.bodies_limit,
    )
    return chosen, messages, World(runtimes_at=Address.of(wishes.url), trust=trust, session=session, options=options)


def _summary(world: World, verdicts: Sequence[Verdict], cases: int, took_s: float) -> str:
    lines = [report.details(verdicts), report.table(verdicts), "", report.count(verdicts[:cases])]
    if verdicts[cases:]:
        lines.append(f"golden heartbeats: {report.count(verdicts[cases:])}")
    left = [f"project {world.project} with its integrations", *sorted(set(world.left_behind))]
    more = [f"and {len(left) - _LEFT_SHOWN} more"] if len(left) > _LEFT_SHOWN else []
    lines += [f"took {took_s:.0f} s; left behind: {'; '.join([*left[:_LEFT_SHOWN], *more])}", ""]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pilothouse_conformance", description="Judges a control plane by the 66 cases of the runtime protocol."
    )
    add = parser.add_argument
    add("url", help="where runtimes connect: https://host:9445")
    add("--console", required=True, metavar="URL", help="where people connect: https://host:9446")
    add("--user", required=True, help="who signs in; needs every permission")
    add("--password-file", required=True, metavar="FILE", help="file with the password; - reads it from standard input")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--ca", metavar="FILE", help="PEM file with the authority, or the certificate, to trust")
    trust.add_argument("--insecure", action="store_true", help="believe any certificate")
    add("--only", metavar="CASES", help="cases to run, such as 13,44-47")
    add("--goldens", metavar="DIR", help="replay the golden heartbeats in this folder too")
    add("--json", metavar="FILE", help="write a report for machines")
    add("--junit", metavar="FILE", help="write JUnit's XML")
    add("--jobs", type=int, default=8, metavar="N", help="cases at the same time, beside those that wait (8)")
    add("--quiet", action="store_true", help="only the report at the end")
    server = parser.add_argument_group("what the server is set to")
    tell = server.add_argument
    tell("--environment", default="dev", metavar="HANDLE", help="an environment that is not critical (dev)")
    tell("--other-environment", default="prod", metavar="HANDLE", help="another one (prod)")
    tell("--offline-after", type=float, default=30.0, metavar="S", help="shortest silence that counts as offline (30)")
    tell("--body-limit", type=int, default=8 * 1024 * 1024, metavar="BYTES", help="largest body it takes (8 MiB)")
    tell(
        "--bodies-limit", type=int, metavar="BYTES", help="what it takes of half-sent bodies together; case 64 fills it"
    )
    tell("--patience", type=float, default=150.0, metavar="S", help="longest that a case waits for one thing (150)")
    reach = parser.add_argument_group("what some cases need; without it they are skipped")
    tell = reach.add_argument
    tell("--fault", metavar="COMMAND", help="breaks the server's database (5, 64)")
    tell("--heal", metavar="COMMAND", help="mends it")
    tell("--restart", metavar="COMMAND", help="restarts the server (28)")
    tell("--cleartext", metavar="URL", help="a listener for runtimes without TLS (63)")
    tell(
        "--mi-host",
        metavar="HOST",
        help="this machine as the server reaches it; a fake of MI's management API listens there (66)",
    )
    tell("--mi-certificate", metavar="FILE", help="the fake's certificate; self-signed without it")
    tell("--mi-key", metavar="FILE", help="its key")
    tell("--data", metavar="DIR", help="the server's data directory, searched for clear text (58)")
    return parser
