"""``inland policy`` as an operator types it."""

from __future__ import annotations

import json
import re
import stat
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from control_plane.ruling import rule
from edge.session.keys import LocalKeyFile
from edge.session.replica import replica_public_key
from inland.__main__ import main
from inland.policy.inputs import ReplicaKeysFile
from regions.bundle import Body, verify
from regions.catalogue import load_catalogue
from regions.models import TenantPolicy
from regions.policy_keys import policy_key
from regions.strict_yaml import load_yaml
from tests.control_plane.helpers import DEMO_TENANTS

BANK = "contracts:\n  demo-bank: {regions: [eu-central-1]}\n"
TIGHT = BANK + "  demo-clinic: {deny: [eu-west-1]}\n"


class Desk:
    """An operator's folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.err = ""
        self._capsys = capsys

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def at(self, name: str) -> str:
        return str(self.folder / name)

    def type(self, *words: str, status: int = 0) -> str:
        found = main(["policy", *words])
        out, self.err = self._capsys.readouterr()
        assert found == status, self.err
        return out

    def key(self, name: str = "policy.key") -> str:
        return self.type("key", self.at(name)).strip()

    def sign(self, name: str, *words: str, status: int = 0, key: str = "policy.key") -> str:
        return self.type("sign", "--key", self.at(key), "-o", self.at(name), *words, status=status)

    def read(self, name: str, key: str) -> Body:
        return verify((self.folder / name).read_bytes(), [policy_key(key)])


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_a_key_is_made_for_its_owner_and_its_public_part_said_again(desk: Desk) -> None:
    first = desk.key()
    assert stat.S_IMODE((desk.folder / "policy.key").stat().st_mode) == 0o600
    assert "policy.key" in desk.err
    assert desk.key() == first
    assert desk.err == ""


def test_the_first_bundle_is_number_1_with_the_shipped_catalogue(desk: Desk) -> None:
    key = desk.key()
    out = desk.sign("one", "--contracts", desk.write("contracts.yaml", BANK))
    found = desk.read("one", key)
    assert found.serial == 1
    assert found.contracts == {"demo-bank": TenantPolicy(regions=("eu-central-1",))}
    assert found.law().policy in out


def test_the_next_one_keeps_what_is_not_named_again(desk: Desk) -> None:
    key = desk.key()
    desk.sign("one", "--contracts", desk.write("contracts.yaml", TIGHT))
    replicas = desk.write("replicas.yaml", f'replica_keys: {{eu-west-1: "{"A" * 43}="}}\n')
    desk.sign("two", "--after", desk.at("one"), "--replica-keys", replicas)
    desk.sign("three", "--after", desk.at("two"), "--contracts", desk.at("contracts.yaml"))
    one, two, three = (desk.read(name, key) for name in ("one", "two", "three"))
    assert (two.serial, three.serial) == (2, 3)
    assert one.contracts == two.contracts == three.contracts
    assert two.replica_keys == three.replica_keys == {"eu-west-1": bytes(32)}


def test_a_bundle_replaces_a_file_only_as_its_successor(desk: Desk) -> None:
    key = desk.key()
    desk.sign("law")
    desk.sign("law", status=2)
    assert "--after" in desk.err
    desk.sign("law", "--after", desk.at("law"))
    assert desk.read("law", key).serial == 2
    assert sorted(path.name for path in desk.folder.iterdir()) == ["law", "policy.key"]


def test_who_reads_the_old_bundle_while_it_is_replaced_reads_it_whole(desk: Desk) -> None:
    desk.key()
    desk.sign("law")
    before = (desk.folder / "law").read_bytes()
    with (desk.folder / "law").open("rb") as reader:
        desk.sign("law", "--after", desk.at("law"))
        assert reader.read() == before
    assert (desk.folder / "law").read_bytes() != before


def test_a_catalogue_goes_on_until_another_is_named(desk: Desk) -> None:
    key = desk.key()
    shipped = str(files("regions") / "catalogue.yaml")
    version = load_catalogue().version
    own = desk.write("own.yaml", Path(shipped).read_text().replace(version, "own"))
    desk.sign("one", "--catalogue", own)
    desk.sign("two", "--after", desk.at("one"))
    desk.sign("three", "--after", desk.at("two"), "--catalogue", "shipped")
    found = [desk.read(name, key).catalogue.version for name in ("one", "two", "three")]
    assert found == ["own", "own", version]


@pytest.mark.parametrize("serial", ["2", "1", "0", "-1", str(2**53)])
def test_a_serial_that_does_not_grow_is_refused(desk: Desk, serial: str) -> None:
    desk.key()
    desk.sign("two", "--serial", "2")
    desk.sign("next", "--after", desk.at("two"), "--serial", serial, status=2)
    assert serial in desk.err
    assert not (desk.folder / "next").exists()


def test_the_highest_serial_is_named_to_whoever_asks_for_a_higher_one(desk: Desk) -> None:
    desk.key()
    desk.sign("one", "--serial", str(2**53), status=2)
    assert f"the highest number is {2**53 - 1}" in desk.err


def test_a_widening_for_many_is_said_in_one_line_that_can_be_read(desk: Desk) -> None:
    desk.key()
    many = "".join(f"  t{n}: {{deny: [eu-west-1]}}\n" for n in range(10))
    desk.sign("one", "--contracts", desk.write("contracts.yaml", f"contracts:\n{many}"))
    desk.sign(
        "two", "--after", desk.at("one"), "--contracts", desk.write("none.yaml", "contracts: {}\n")
    )
    assert desk.err.count("under eea: eu-west-1") == 8
    assert desk.err.endswith("; and 2 more: see `inland policy diff`\n")


def test_tenants_with_the_same_contract_are_each_shown_and_ruled_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.key()
    many = "".join(f"  t{n}: {{regions: [eu-west-1]}}\n" for n in range(20))
    desk.sign("law", "--contracts", desk.write("contracts.yaml", f"contracts:\n{many}"))
    ruled: list[object] = []

    def counted(*asked: Any, **on: Any) -> Any:
        ruled.append(asked)
        return rule(*asked, **on)

    monkeypatch.setattr("inland.policy.report.rule", counted)
    allowed = json.loads(desk.type("show", desk.at("law"), "--json"))["allowed_under_contract"]
    assert [allowed[f"t{n}"]["eea"]["audio"] for n in range(20)] == [["eu-west-1"]] * 20
    assert len(ruled) == 2 * len(load_catalogue().jurisdictions)


def test_a_widening_is_said_when_it_is_signed(desk: Desk) -> None:
    desk.key()
    desk.sign("one", "--contracts", desk.write("contracts.yaml", TIGHT))
    desk.sign("two", "--after", desk.at("one"), "--contracts", desk.write("wider.yaml", BANK))
    assert desk.err == "WIDER than before: demo-clinic under eea: eu-west-1\n"
    desk.sign("three", "--after", desk.at("two"), "--contracts", desk.at("contracts.yaml"))
    assert desk.err == ""


def test_another_keys_bundle_is_followed_only_when_that_key_is_named(desk: Desk) -> None:
    old, new = desk.key(), desk.key("new.key")
    desk.sign("one")
    desk.sign("two", "--after", desk.at("one"), key="new.key", status=2)
    assert "not trusted" in desk.err
    desk.sign("two", "--after", desk.at("one"), "--trust", old, key="new.key")
    assert desk.read("two", new).serial == 2


@pytest.mark.parametrize(
    ("contracts", "words"),
    [
        ("contracts:\n  bank: {deny: [eu-wset-1]}\n", r"contracts.yaml:2.*no region 'eu-wset-1'"),
        ("contracts:\n  bank: {sectors: [x]}\n", r"contracts.yaml:2.*no sector 'x'"),
        ("contracts:\n  bank: {adds: [eu-west-1]}\n", "contracts.yaml:2.*unknown key"),
        ("contracts:\n  bank: {}\n  bank: {}\n", "contracts.yaml:3.*already on line 2"),
        ("contracts:\n  Bank: {}\n", "contracts.yaml:2"),
        ("tenants: []\n", "contracts.yaml"),
        ("[" * 200, "contracts.yaml:1.*nested deeper"),
    ],
)
def test_a_slip_in_the_contracts_is_named_by_line_and_nothing_is_signed(
    desk: Desk, contracts: str, words: str
) -> None:
    desk.key()
    desk.sign("law", "--contracts", desk.write("contracts.yaml", contracts), status=2)
    assert re.search(words, desk.err)
    assert not (desk.folder / "law").exists()


def test_a_contract_of_nobody_is_refused_where_the_tenants_are_known(desk: Desk) -> None:
    desk.key()
    contracts = desk.write("contracts.yaml", "contracts: {demo-clinc: {}}\n")
    desk.sign("law", "--contracts", contracts, "--tenants", str(DEMO_TENANTS), status=2)
    assert "no tenant demo-clinc: it has demo-bank, demo-clinic" in desk.err
    desk.sign("law", "--contracts", desk.write("ok.yaml", BANK), "--tenants", str(DEMO_TENANTS))


def test_a_key_file_that_is_not_there_is_not_made_by_signing(desk: Desk) -> None:
    desk.sign("law", key="none.key", status=2)
    assert not (desk.folder / "none.key").exists()


def test_show_says_whom_the_bundle_lets_where_and_whether_it_is_genuine(desk: Desk) -> None:
    key, other = desk.key(), desk.key("other.key")
    desk.sign("law", "--contracts", desk.write("contracts.yaml", BANK))
    out = desk.type("show", desk.at("law"))
    assert "not checked" in out
    assert any(line.split() == ["demo-bank", "eea", "eu-central-1"] for line in out.splitlines())
    assert "good" in desk.type("show", desk.at("law"), "--trust", key)
    assert "NOT GOOD" in desk.type("show", desk.at("law"), "--trust", other, status=1)
    facts = json.loads(desk.type("show", desk.at("law"), "--json", "--trust", key))
    assert (facts["serial"], facts["verified"]) == (1, True)
    assert facts["allowed_under_contract"]["demo-bank"]["eea"]["audio"] == ["eu-central-1"]
    assert facts["allowed"]["uk"]["audio"] == ["eu-west-2"]
    assert json.loads(desk.type("show", desk.at("law"), "--json"))["verified"] is None


def test_diff_shows_a_tightening_and_stops_at_a_widening(desk: Desk) -> None:
    key = desk.key()
    desk.sign("one", "--contracts", desk.write("contracts.yaml", BANK))
    desk.sign("two", "--after", desk.at("one"), "--contracts", desk.write("contracts.yaml", TIGHT))
    out = desk.type("diff", desk.at("one"), desk.at("two"), "--trust", key)
    assert "demo-clinic  eea  loses eu-west-1" in out
    out = desk.type("diff", desk.at("two"), desk.at("one"), status=1)
    assert "WINS eu-west-1" in out
    assert "number 1 does not replace number 2" in out
    facts: dict[str, Any] = json.loads(desk.type("diff", desk.at("one"), desk.at("two"), "--json"))
    assert facts["wider"] is False
    assert {change["tenant"] for change in facts["changes"]} == {"demo-clinic"}
    desk.type("diff", desk.at("one"), desk.at("two"), "--trust", desk.key("other.key"), status=2)


def test_a_replica_key_is_a_line_for_the_file_that_is_signed(desk: Desk) -> None:
    keys = LocalKeyFile.open(desk.folder / "region.key", "eu-west-1")
    line = desk.type("replica-key", "--data", str(desk.folder), "--region", "eu-west-1")
    path = desk.folder / "replicas.yaml"
    path.write_text(f"replica_keys:\n  {line}")
    found = load_yaml(path, ReplicaKeysFile)
    assert found.replica_keys == {"eu-west-1": replica_public_key(keys)}
    key_file = str(desk.folder / "region.key")
    assert desk.type("replica-key", "--key-file", key_file, "--region", "eu-west-1") == line
    desk.type("replica-key", "--key-file", key_file, "--region", "eu-west-2", status=2)
    desk.type("replica-key", "--data", desk.at("none"), "--region", "eu-west-2", status=2)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "none"),
        ("show", "policy.key"),
        ("show", "law", "--trust", "ed25519:x"),
        ("show", "law", "--on", "tomorrow"),
        ("diff", "law", "none"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_the_status_is_2(
    desk: Desk, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    desk.key()
    desk.sign("law")
    assert desk.type(*words, status=2) == ""
    assert desk.err.startswith("inland policy: ")
    assert desk.err.count("\n") == 1
