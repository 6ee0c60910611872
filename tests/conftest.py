"""Settings of all tests: a cache of their own, golden files renewed on request."""

import os
import tempfile
from collections import Counter

import pytest

_cache = tempfile.TemporaryDirectory(prefix="adcompile-tests-")
os.environ["ADCOMPILE_CACHE_DIR"] = _cache.name


def pytest_addoption(parser):
    parser.addoption("--renew", action="store_true", help="write golden files instead of comparing")


@pytest.hookimpl(tryfirst=True)  # before the choice by `-m`
def pytest_collection_modifyitems(config, items):
    seen = Counter()
    for item in items:
        share = item.get_closest_marker("share")
        if share and share.kwargs.get("of", "") in item.name:
            test = item.nodeid.split("[")[0]
            if seen[test] % share.args[0]:
                item.add_marker("nightly")
            seen[test] += 1
    if "nightly" in config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="a long run: choose it with -m nightly"))


@pytest.fixture
def renew(request):
    return request.config.getoption("--renew")
