"""A slip in the ``sip:`` section is named by file, line, key and cure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge.phone.fields import listen_address
from edge.phone.settings import PhoneSettings
from edge.phone.trunk import PasswordError
from edge.settings import NodeSettings, load_settings
from regions.strict_yaml import ConfigError, parse_yaml
from tests.edge.phone.parts import phone, trunk

WHOLE = """\
node: eu-central-1-a
region: eu-central-1
data: /var/lib/inland
agents: /etc/inland/agents
control_planes: [http://127.0.0.1:7000]
sip:
  listen: ["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060", "tls://0.0.0.0:5061", "udp://[::]:5060"]
  advertised_host: 203.0.113.7
  public_uri: sip:eu-central-1.example.org
  tls: {certificate: ~/node.pem, key: ~/node.key, client_ca: /etc/ca.pem, clients: optional}
  media_ports: [20000, 21999]
  codecs: [opus, g722, pcmu, pcma]
  digest: [SHA-256, MD5]
  media_timeout_seconds: 30
  session_expires: 1800
  trunks:
    - name: carrier-a
      address: sip:sip.carrier.example;transport=tls
      networks: [198.51.100.0/24, "2001:db8::/32"]
      username: inland
      password_env: CARRIER_PASSWORD
      inbound_auth: {username: carrier, password_file: /etc/inland/carrier}
      srtp: required
      tls: {ca: /etc/carrier.pem}
      routes: [eu-central-1, eu-west-1]
      national_format: "DE"
      trust_identity: true
      caller_id: "+496912345678"
      transfer: ["+4969*", "sip:front-desk@pbx.example.org"]
      options_seconds: 60
      max_calls: 30
      calls_per_second: 5
    - name: pbx
      address: sip:pbx.example.org
      networks: [192.0.2.10]
      routes: [eu-central-1]
  numbers:
    - {number: "+496912345678", tenant: clinic, agent: clinic-reception, trunks: [carrier-a]}
    - {user: clinic, tenant: clinic, agent: clinic-reception, trunks: [pbx], country: "DE"}
    - {number: "+80012345678", tenant: clinic, agent: clinic-reception, country: caller}
  registrations:
    - name: freepbx-201
      trunk: pbx
      registrar: sip:registrar.pbx.example.org
      username: "201"
      auth_username: "201-auth"
      password_env: EXTENSION_201
      expires: 300
      tenant: clinic
      agent: clinic-reception
      country: "DE"
"""


def read(text: str) -> NodeSettings:
    return parse_yaml(text, "edge.yaml", NodeSettings)


def sip(text: str) -> PhoneSettings:
    found = read(text).sip
    assert found is not None
    return found


def wrong(old: str, new: str) -> str:
    """What is said of the whole file with ``old`` replaced."""
    assert WHOLE.count(old) == 1, old
    with pytest.raises(ConfigError) as caught:
        read(WHOLE.replace(old, new))
    return str(caught.value)


def test_the_example_says_what_it_means() -> None:
    found = sip(WHOLE)
    carrier, pbx = found.trunks
    assert (carrier.srtp, carrier.max_calls, pbx.srtp) == ("required", 30, "optional")
    assert [str(network) for network in carrier.sources] == ["198.51.100.0/24", "2001:db8::/32"]
    assert [str(network) for network in pbx.sources] == ["192.0.2.10/32"]
    assert [entry.binding_country for entry in found.numbers] == ["DE", "DE", None]
    assert found.registrations[0].binding_country == "DE"
    assert found.tls is not None
    assert found.tls.key == Path.home() / "node.key"
    assert found.listens[3] == listen_address("udp://[::]:5060")
    assert (found.listens[3].transport, found.listens[3].host) == ("udp", "::")


def test_the_manual_s_example_is_read_as_it_stands() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "edge.md").read_text()
    node, *sections = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    store, sentinels = [text for text in sections if text.startswith("store:\n")]
    assert read(node + sentinels).store is not None
    (phone_calls,) = [text for text in sections if text.startswith("sip:\n")]
    whole = node + store + phone_calls
    assert [trunk.name for trunk in sip(whole).trunks] == ["carrier-a", "pbx"]
    kept = read(whole).store
    assert kept is not None and sorted(kept.users) == ["bank", "clinic"]


def test_settings_survive_the_way_to_a_worker() -> None:
    settings = read(WHOLE)
    order = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert NodeSettings.model_validate(order) == settings
    assert NodeSettings.model_validate(settings.model_dump()) == settings


def test_a_node_without_the_section_takes_no_phone_calls() -> None:
    assert read(WHOLE.partition("sip:\n")[0]).sip is None


def test_everything_is_on_loopback_unless_told_otherwise() -> None:
    assert {listen.host for listen in phone().listens} == {"127.0.0.1"}
    assert phone().advertised_host is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("udp://[::]:5060", "udp://localhost:5060", "sip.listen[3]: should be udp://, tcp:// or"),
        ("udp://[::]:5060", "udp://0.0.0.0:5060", "listen: lists an address twice"),
        ("udp://[::]:5060", "wss://[::]:5060", "sip.listen[3]: should be udp://, tcp:// or tls://"),
        ("udp://[::]:5060", "udp://[::]:99999", "sip.listen[3]: should be udp://"),
        ("203.0.113.7", "203.0.113.7:5060", "sip.advertised_host: should be a host name"),
        ("public_uri: sip:", "public_uri: sip:me@", "sip.public_uri: should be sip:host"),
        ("clients: optional", "clients: maybe", "sip.tls.clients: "),
        ("client_ca: /etc/ca.pem, ", "", "client certificates are checked by client_ca: add it"),
        ("  tls: {certificate: ~/node.pem", "  x: {certificate: ~/node.pem", "sip.x: unknown key"),
        ("[20000, 21999]", "[20001, 21999]", "sip.media_ports: should be an even first"),
        ("[20000, 21999]", "[20000, 22000]", "sip.media_ports: should be an even first"),
        ("[20000, 21999]", "[20000]", "sip.media_ports: "),
        ("[opus, g722, pcmu, pcma]", "[opus, g729]", "sip.codecs[1]: "),
        ("[opus, g722, pcmu, pcma]", "[opus, opus]", "codecs: lists a codec twice"),
        ("[SHA-256, MD5]", "[SHA-1]", "sip.digest[0]: "),
        ("[SHA-256, MD5]", "[MD5, MD5]", "digest: lists an algorithm twice"),
        ("session_expires: 1800", "session_expires: 60", "sip.session_expires: "),
        ("transport=tls", "transport=sctp", "trunks[0].address: takes no parameter but"),
        ("sip:sip.carrier.example;", "sip:me@carrier.example;", "takes no user"),
        ("sip:sip.carrier.example;", "sip.carrier.example;", "trunks[0].address: not a SIP URI"),
        ("198.51.100.0/24", "198.51.100.1/24", "trunks[0].networks[0]: 198.51.100.1/24 has host"),
        ("[192.0.2.10]", "[0.0.0.0/0]", "sip.trunks[1]: networks: 0.0.0.0/0 lets the Internet in"),
        ("[192.0.2.10]", '["2000::/3"]', "networks: 2000::/3 lets the Internet in"),
        ("[192.0.2.10]", "[198.51.100.0/24]", "is of carrier-a and of pbx"),
        ("      username: inland\n", "", "username goes with password_file or password_env"),
        (
            "password_env: CARRIER_PASSWORD",
            "password: x",
            "trunks[0].password: unknown key: did you",
        ),
        ("password_env: CARRIER_PASSWORD", "password_env: s3cret!", "should be the name of an env"),
        (
            ", password_file: /etc/inland/carrier",
            "",
            "inbound_auth: add password_file or password_",
        ),
        (
            "{username: carrier, ",
            "{username: carrier, password_env: A, ",
            "password_file and password_env are both there: keep one",
        ),
        ("srtp: required", "srtp: off", 'quote it "off"'),
        ("srtp: required", "srtp: always", "trunks[0].srtp: "),
        ("      routes: [eu-central-1]\n", "", "sip.trunks[1].routes: is missing: add it"),
        ("routes: [eu-central-1]", "routes: []", "sip.trunks[1].routes: "),
        ("routes: [eu-central-1]", "routes: [eu-west-1]", "eu-central-1 is one of its routes: add"),
        ("advertised_host: 203", "advertised_host: a203", "sip.advertised_host: media of phone"),
        ("tls: {ca:", "tls: {key: /k, ca:", "certificate and key go together: add the other"),
        ("tls: {ca:", "tls: {fingerprint: ab, ca:", "fingerprint: should be a SHA-256"),
        ('national_format: "DE"', "national_format: Germany", "trunks[0].national_format: "),
        ('"+4969*"', '"+49*69"', "trunks[0].transfer[0]: should be a number or address"),
        ('"+4969*"', '"*"', "trunks[0].transfer[0]: should be a number or address"),
        ("calls_per_second: 5", "calls_per_second: 0", "trunks[0].calls_per_second: "),
        ("name: pbx", "name: carrier-a", "trunks: name 'carrier-a' is there twice"),
        ("[carrier-a]}", "[carrier-b]}", "numbers[0].trunks: there is no trunk 'carrier-b'"),
        ('{number: "+496912345678"', "{number: 496912345678", "number: should be text: put it in"),
        ('{number: "+496912345678"', '{number: "069123"', "numbers[0].number: should be in intern"),
        ("{user: clinic, ", "{", "sip.numbers[1]: add either number or user, one of them"),
        ("{user: clinic, ", '{user: "a b", ', "numbers[1].user: should be the part"),
        (
            'trunks: [pbx], country: "DE"',
            "trunks: [pbx]",
            "numbers[1]: country: the number does not",
        ),
        (", country: caller}", "}", "sip.numbers[2]: country: the number does not tell its"),
        (", country: caller}", ", country: any}", "numbers[2].country: should be two capital"),
        ('"+80012345678"', '"+496912345678"', "numbers[2]: is numbers[0] again for calls of trunk"),
        (
            "{user: clinic",
            '{user: "201"',
            "registrations[0]: is numbers[1] again for calls of trunk",
        ),
        ("      trunk: pbx\n", "      trunk: pbc\n", "registrations[0].trunk: there is no trunk"),
        ("      password_env: EXTENSION_201\n", "", "registrations[0]: add password_file or"),
        ("expires: 300\n", "expires: 5\n", "registrations[0].expires: "),
        ('      country: "DE"\n', "", "sip.registrations[0].country: is missing: add it"),
        (
            "sip:registrar.pbx.example.org",
            "sip:sip.carrier.example",
            "tls: carrier-a and pbx differ",
        ),
    ],
)
def test_a_slip_is_named_with_file_line_key_and_cure(old: str, new: str, said: str) -> None:
    text = wrong(old, new)
    assert text.startswith("edge.yaml:")
    assert said in text


def test_a_password_written_into_the_file_is_never_repeated() -> None:
    assert "hunter2" not in wrong("password_env: CARRIER_PASSWORD", "password: hunter2")
    assert "hunter2" not in wrong("password_env: CARRIER_PASSWORD", "password_env: hunter2!")


def test_a_registration_needs_an_address_of_its_own_or_the_trunk_s() -> None:
    without = WHOLE.replace("      registrar: sip:registrar.pbx.example.org\n", "")
    assert sip(without).registrations[0].registrar is None
    with pytest.raises(ConfigError, match="registrar: is missing, and trunk 'pbx' has no address"):
        read(without.replace("      address: sip:pbx.example.org\n", ""))


def test_tls_needs_a_certificate() -> None:
    line = next(line for line in WHOLE.splitlines() if line.startswith("  tls:"))
    assert "listening for tls takes a certificate and a key" in wrong(line + "\n", "")


def test_a_trunk_that_neither_calls_nor_is_called_is_a_slip() -> None:
    with pytest.raises(ValueError, match="add address for our calls, networks or inbound_auth"):
        trunk(networks=())


def test_a_wide_network_is_let_in_with_a_password() -> None:
    login = {"username": "u", "password_env": "P"}
    assert trunk(networks=("0.0.0.0/0",), inbound_auth=login).inbound_auth is not None


def test_the_same_number_may_lead_elsewhere_on_another_trunk() -> None:
    entry = {"tenant": "t", "agent": "a", "country": "DE", "user": "100"}
    phone(
        trunks=[trunk("one"), trunk("two", networks=("192.0.2.0/24",))],
        numbers=[entry | {"trunks": ["one"]}, entry | {"trunks": ["two"]}],
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workers": 20, "capacity": 51}, "2000 ports are too few for 20 workers of 51 calls"),
        ({"media_port": 19999, "workers": 2}, "media_ports: hold media_port or a port of"),
    ],
)
def test_media_ports_must_fit_the_node(changes: dict[str, Any], said: str) -> None:
    lines = "".join(f"{key}: {value}\n" for key, value in changes.items())
    with pytest.raises(ConfigError, match=said):
        read(lines + WHOLE)


def test_a_signalling_port_among_the_media_ports_is_a_slip() -> None:
    assert "a port of sip.listen" in wrong("udp://[::]:5060", "udp://[::]:20004")


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_workers_share_the_ports_in_whole_pairs_and_none_twice(workers: int) -> None:
    shares = [phone().media_ports_of(index, workers) for index in range(workers)]
    ports = [port for share in shares for port in share]
    assert len(set(ports)) == len(ports)
    assert all(share.start % 2 == 0 and len(share) % 2 == 0 for share in shares)
    assert len({len(share) for share in shares}) == 1
    assert min(ports) >= 20000 and max(ports) <= 21999


def test_a_caller_is_handed_only_to_whom_the_trunk_lists() -> None:
    listed = trunk(transfer=("+4969*", "sip:desk@pbx.example.org"))
    assert listed.may_transfer_to("+496900001")
    assert listed.may_transfer_to("sip:desk@pbx.example.org")
    assert not listed.may_transfer_to("+4930123456")
    assert not listed.may_transfer_to("sip:desk@pbx.example.org.evil.example")
    assert not trunk().may_transfer_to("+496900001")


def test_a_password_is_read_from_its_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    in_file = trunk(username="u", password_file=tmp_path / "secret")
    in_environment = trunk(username="u", password_env="P")
    assert in_file.password({}) == "from-a-file"
    assert in_environment.password({"P": "from-there"}) == "from-there"
    with pytest.raises(PasswordError, match="environment variable P: is empty or not there"):
        in_environment.password({})
    with pytest.raises(PasswordError, match="FileNotFoundError"):
        trunk(username="u", password_file=tmp_path / "none").password({})


def test_the_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "edge.yaml"
    path.write_text(WHOLE.replace("srtp: required", "srtp: always"))
    with pytest.raises(ConfigError, match=f"{path}:23: "):
        load_settings(path)
