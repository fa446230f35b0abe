"""Three regions that really route to one another, once for each file of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.wire.network import Network, with_callers
from tests.system.wire.site import HOMES, write_project, write_site

PREFIX = "ilw"
TOOLS = ("ip", "nft", "tcpdump", "redis-server", "flite")
UP_SECONDS = 150


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Regions with their barriers, and the callers; at the end nothing of them is left."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces take root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("wire")
    data = folder / "data"
    place = ("--project", str(write_project(folder)), "--site", str(write_site(folder)))
    regions(*("up", *HOMES.values()), *place, "--prefix", PREFIX, "--data", str(data))
    try:
        with with_callers(data, HOMES) as found:
            yield found
    finally:
        regions("down", "--data", str(data), "--erase-data", "--yes")
    assert PREFIX not in subprocess.check_output(["ip", "netns"], text=True)


def regions(verb: str, *arguments: str) -> None:
    """`inland regions VERB --target local`, which must succeed."""
    command = [sys.executable, "-m", "inland", "regions", verb, *arguments, "--target", "local"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=UP_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
