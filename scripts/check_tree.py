"""Holds the tree to the rules that no linter knows: module sizes, and what must never be committed."""

import re
import subprocess
import sys
from pathlib import Path

LINES_MAX = 500
"""A module longer than this fails; 300 is the habit. Tables, tests and generated files are exempt."""
_EXEMPT = re.compile(
    r"(^|/)(tests?|e2e|mock|acceptance|benchmarks|generated|migrations|strings)/|tables\.py$|\.test\.tsx?$"
)
_FORBIDDEN = {
    "a registry's address": re.compile(r'"resolved": *"https?:|--(extra-)?index-url|^registry *=', re.MULTILINE),
    "a private key": re.compile(r"BEGIN (RSA |EC |OPENSSH )?PRIVATE KEY-----\n"),
    "an open end": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"),
}


def tracked() -> list[str]:
    """List the files under version control."""
    found = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True)  # noqa: S607
    return [name for name in found.stdout.split("\0") if name and Path(name).is_file()]


def complaints() -> list[str]:
    """List what breaks a rule."""
    found: list[str] = []
    for name in tracked():
        try:
            text = Path(name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if name.endswith((".py", ".ts", ".tsx")) and not _EXEMPT.search(name) and text.count("\n") > LINES_MAX:
            found.append(f"{name}: {text.count(chr(10))} lines; what wants to leave? (at most {LINES_MAX})")
        for what, pattern in _FORBIDDEN.items():
            if pattern.search(text):
                found.append(f"{name}: holds {what}")
    if "uv.lock" in tracked():
        found.append("uv.lock: records where packages are fetched from")
    return found


def main() -> None:
    """Complain, or be silent."""
    found = complaints()
    for complaint in found:
        sys.stderr.write(complaint + "\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
