"""A site is checked as the nodes will read it, and packed the same each time."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inland.demo import __file__ as demo_file
from inland.release.errors import SiteError
from inland.release.site import pack_site

DEMO = Path(demo_file).parent
PHONE = """\
trunks:
  - name: carrier
    address: sip:sip.carrier.example
    networks: [198.51.100.0/24]
    routes: [eu-central-1]
    username: inland
    password_env: CARRIER_PASSWORD
numbers:
  - {number: "+496912345678", tenant: demo-bank, agent: bank-callback}
"""
PROVIDERS = """\
providers:
  - id: bookings
    purposes: [tool]
    endpoints: ["https://booking.example.org"]
    region: eu-central-1
    operator: {name: Bookings GmbH, country: "DE"}
    data_classes: [variables]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Both agents of the demo with the addresses of their tools, its tenants, a telephone."""
    folder = tmp_path / "site"
    (folder / "agents").mkdir(parents=True)
    for agent in (DEMO / "agents").glob("*.yaml"):
        text = agent.read_text().replace(
            "url_env: CLINIC_BOOKING_URL", "url: https://booking.example.org"
        )
        (folder / "agents" / agent.name).write_text(text)
    (folder / "tenants.yaml").write_text((DEMO / "tenants.yaml").read_text())
    (folder / "phone.yaml").write_text(PHONE)
    (folder / "providers.yaml").write_text(PROVIDERS)
    return folder


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_site_is_packed_the_same_each_time_and_as_it_is(site: Path, tmp_path: Path) -> None:
    (site / ".swap").write_text("an editor's")
    one, other = pack_site(site, tmp_path / "one"), pack_site(site, tmp_path / "other")
    assert one.sha256 == other.sha256
    assert one.files == (
        "agents/bank-callback.yaml",
        "agents/clinic-reception.yaml",
        "phone.yaml",
        "providers.yaml",
        "tenants.yaml",
    )
    with tarfile.open(one.path) as tar:
        assert {member.name for member in tar.getmembers() if member.isfile()} == {*one.files}
        found = tar.extractfile("phone.yaml")
        assert found is not None
        assert found.read().decode() == PHONE


def test_a_site_of_a_control_plane_has_tenants_alone(site: Path, tmp_path: Path) -> None:
    for path in [*site.glob("agents/*"), site / "phone.yaml", site / "providers.yaml"]:
        path.unlink()
    assert pack_site(site, tmp_path).files == ("tenants.yaml",)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file that no node reads": (
        lambda site: (site / "tenant.yaml").write_text("tenants: []"),
        r"tenant\.yaml: a site has agents/\*\.yaml",
    ),
    "an agent beside its folder": (
        lambda site: (site / "bank.yaml").write_text("id: bank"),
        r"bank\.yaml: a site has",
    ),
    "an agent with a slip": (
        lambda site: change(site / "agents/bank-callback.yaml", "greeting:", "greetings:"),
        r"bank-callback\.yaml:\d+: greetings",
    ),
    "a tool whose address only the operator's shell knows": (
        lambda site: change(
            site / "agents/bank-callback.yaml",
            "url: https://booking.example.org",
            "url_env: BOOKING_URL",
        ),
        r"request_callback.*set BOOKING_URL",
    ),
    "a tool that no provider is listed for": (
        lambda site: (site / "providers.yaml").unlink(),
        r"request_callback.*https://booking\.example\.org:443 is not in the provider catalogue",
    ),
    "a provider in a region without a law": (
        lambda site: change(site / "providers.yaml", "eu-central-1", "mars-1"),
        r"bookings: there is no region mars-1",
    ),
    "a telephone for an agent that is not there": (
        lambda site: change(site / "phone.yaml", "agent: bank-callback", "agent: bank-desk"),
        r"phone\.yaml: sip\.numbers\[0\]\.agent: there is no agent file for 'bank-desk'",
    ),
    "a key that every node has for itself": (
        lambda site: change(
            site / "phone.yaml", "trunks:", 'listen: ["udp://0.0.0.0:5060"]\ntrunks:'
        ),
        r"phone\.yaml: listen: every node has its own",
    ),
    "a password in a file": (
        lambda site: change(
            site / "phone.yaml",
            "password_env: CARRIER_PASSWORD",
            "password_file: /etc/inland/carrier",
        ),
        r"trunks\[0\]\.password_file: a site holds no secret: name a password_env",
    ),
    "a tenant's agent that is not there": (
        lambda site: (site / "agents/clinic-reception.yaml").unlink(),
        r"tenant demo-clinic: no file in agents/ for clinic-reception",
    ),
    "a tenant under a law that does not exist": (
        lambda site: change(site / "tenants.yaml", "regions: [eu-central-1]", "regions: [mars-1]"),
        r"tenants\.yaml:\d+: .*the catalogue has no region 'mars-1'",
    ),
    "a catalogue with a slip": (
        lambda site: (site / "catalogue.yaml").write_text("regions: []\n"),
        r"catalogue\.yaml",
    ),
}


@pytest.mark.parametrize("slip", SPOILED)
def test_what_a_node_would_refuse_or_overlook_is_refused_before(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: str
) -> None:
    monkeypatch.setenv("BOOKING_URL", "https://booking.example.org")
    spoil, words = SPOILED[slip]
    spoil(site)
    with pytest.raises(SiteError, match=words):
        pack_site(site, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_operator_needs_no_telephone_password_to_pack(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARRIER_PASSWORD", raising=False)
    assert pack_site(site, tmp_path).sha256


@pytest.mark.parametrize("name", ["empty", "not-there"])
def test_a_folder_with_nothing_to_serve_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SiteError, match=r"nothing to serve|is no folder"):
        pack_site(tmp_path / name, tmp_path / "out")
