"""Writes `opensearch-jars.lock` anew: `python server/tests/telemetry/opensearch_pins.py` (needs Maven).

A place's jars are its roots and what they ask for, less what `lib` holds already: a class that is found twice keeps the
server from starting.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from opensearch_jars import LOCK, Artifact, copy_with_maven

SERVER = "2.19.4"
"""The newest that runs on the Java of Debian 12 (17) and has its security plugin in the public repository."""
CLASS_LOADER = "2.19.1"
"""This jar was not published with every version; its one class has not changed since."""
LOG4J = "2.21.0"
"""What the server is built with, and leaves to the distribution to bring."""

_PLUGIN = "org.opensearch.plugin"
ROOTS = {
    "lib": [
        Artifact("org.opensearch", "opensearch", SERVER),
        Artifact("org.opensearch", "opensearch-plugin-classloader", CLASS_LOADER),
        Artifact("org.apache.logging.log4j", "log4j-core", LOG4J),
    ],
    **{
        f"modules/{module}": [Artifact(_PLUGIN, jar, SERVER)]
        for module, jar in {
            "aggs-matrix-stats": "aggs-matrix-stats-client",
            "analysis-common": "analysis-common",
            "ingest-common": "ingest-common",
            "lang-mustache": "lang-mustache-client",
            "lang-painless": "lang-painless",
            "mapper-extras": "mapper-extras-client",
            "parent-join": "parent-join-client",
            "reindex": "reindex-client",
            "transport-netty4": "transport-netty4-client",
        }.items()
    },
    "plugins/opensearch-security": [Artifact(_PLUGIN, "opensearch-security", f"{SERVER}.0", "zip")],
}


def closure(roots: Iterable[Artifact]) -> dict[tuple[str, str], tuple[Artifact, str]]:
    """Resolve what the roots ask for: artifact and SHA-256 by group and name."""
    found: dict[tuple[str, str], tuple[Artifact, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy_with_maven(roots, Path(folder), transitive=True)
        for path in sorted(each for each in Path(folder).rglob("*") if each.suffix in {".jar", ".zip"}):
            *group, name, version, _ = path.relative_to(folder).parts
            key = (".".join(group), name)
            artifact = Artifact(*key, version, path.suffix.removeprefix("."))
            found[key] = (artifact, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def main() -> None:
    """Resolve every place, and write the lock."""
    lines = ["# Written by opensearch_pins.py: a place in the server's home, then group:artifact:version:type:sha256."]
    shared: set[tuple[str, str]] = set()
    for place, roots in ROOTS.items():
        found = {key: each for key, each in closure(roots).items() if key not in shared}
        if place == "lib":
            shared = set(found)
        lines += ["", f"[{place}]", *(f"{artifact.name}:{digest}" for artifact, digest in found.values())]
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
