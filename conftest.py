"""For every test of the tree: what belongs together runs on one worker, and no test fails because the machine is busy."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# Tests assert behaviour, not time; speed lives in benchmarks/.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("house"), max_examples=40)


def pytest_configure(config: pytest.Config) -> None:
    """Where slow tests are left out, a property that names no number of examples is content with fewer of them."""
    # A shell starts what runs in its background deaf to Ctrl-C, and so would be every program that tests end by it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.load_profile("quick" if "not slow" in (config.getoption("markexpr") or "") else "house")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make `--dist loadgroup` work with pytest 9.2, whose ids xdist 3.8 cannot write (pytest-dev/pytest-xdist issue 1386).

    Without it each worker starts a broker, a browser and a provider of its own.
    """
    if not config.getoption("loadgroup", default=False):
        return
    try:
        from _pytest.nodeid import coerce_node_id
    except ImportError:  # another pytest: xdist does it by itself
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group") if mark.args})
        if groups and "@" not in item.nodeid.rpartition("::")[2].rpartition("]")[2]:
            item._id = coerce_node_id(f"{item.nodeid}@{'_'.join(groups)}")  # noqa: SLF001
