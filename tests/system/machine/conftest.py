"""What every machine of these tests is made of, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.release.build import build_release, source_root
from inland.release.site import pack_site
from inland.release.target import Target
from tests.system.machine.debian import make_image, skip_unless_possible
from tests.system.machine.stage import ARCHITECTURE, DEMO, NOTICE, Packed

TOOL_VARIABLE = "url_env: CLINIC_BOOKING_URL"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    skip_unless_possible()
    path = tmp_path_factory.mktemp("image") / "debian.tar"
    make_image(path)
    yield path
    path.unlink()  # some hundred megabytes, and pytest keeps the folders of several runs


@pytest.fixture(scope="session")
def release(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """The software of this very checkout, for this machine's architecture."""
    out = tmp_path_factory.mktemp("release")
    made = build_release(
        source_root(), out, [Target(ARCHITECTURE)], date=0, progress=lambda _: None
    )
    yield Packed(made.sha256, made.path)
    made.path.unlink()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """What the demo serves, with the addresses of its tools in the files; the bank records."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "agents").mkdir()
    (folder / "tenants.yaml").write_text((DEMO / "tenants.yaml").read_text())
    for agent in (DEMO / "agents").glob("*.yaml"):
        text = agent.read_text()
        assert TOOL_VARIABLE in text
        text = text.replace(TOOL_VARIABLE, "url: http://127.0.0.1:9")
        if agent.stem == "bank-callback":
            text += f"recording:\n  notice: {NOTICE}\n"
        (folder / "agents" / agent.name).write_text(text)
    made = pack_site(folder, tmp_path_factory.mktemp("packed"))
    return Packed(made.sha256, made.path)
