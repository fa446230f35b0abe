"""``inland regions`` answers people and programs, and says what to do about a bad question."""

import argparse
import json
from pathlib import Path

import pytest

from inland.commands import regions

TENANTS = """
tenants:
  - id: clinic
    name: Clinic
    agents: {desk: {}}
    policy:
      regions: [eu-central-1, eu-west-1]
      deny: [eu-west-1]
      classes:
        transcript: {regions: []}
  - id: typo
    name: Typo
    agents: {desk: {}}
    policy: {deny: [eu-wset-1]}
"""


def inland_regions(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="inland regions")
    regions.configure(parser)
    return regions.run(parser.parse_args(words))


@pytest.fixture
def tenants(tmp_path: Path) -> str:
    path = tmp_path / "tenants.yaml"
    path.write_text(TENANTS)
    return str(path)


def verdicts(output: str) -> dict[str, bool]:
    return {found["region"]: found["allowed"] for found in json.loads(output)["regions"]}


def test_list_is_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("list") == 0
    header, *rows, _, policy = capsys.readouterr().out.splitlines()
    assert len(rows) == 24
    for column in ("NAME", "COUNTRY", "JURISDICTION", "CLOUD", "FAILOVER"):
        start = header.index(column)
        assert all(row[start - 1] == " " and row[start] != " " for row in rows)
    assert policy.startswith("catalogue 2026-11-21.")


def test_list_as_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["regions"][0]["id"] == "eu-central-1"
    assert listed["regions"][0]["country"] == "DE"


def test_list_says_where_a_lost_region_s_callers_go(capsys: pytest.CaptureFixture[str]) -> None:
    inland_regions("list")
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "none in country" in rows["eu-west-2"]
    assert "  ap-south-2  " in rows["ap-south-1"]
    inland_regions("list", "--json")
    listed = {found["id"]: found for found in json.loads(capsys.readouterr().out)["regions"]}
    assert listed["eu-west-2"]["failover"] == []
    assert listed["us-west-1"]["failover"] == ["us-west-2", "us-east-2", "us-east-1"]


def test_show_says_whose_law_a_region_is_under(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("show", "ap-northeast-3") == 0
    output = capsys.readouterr().out
    for words in ("Osaka", "Japan (JP)", "Act No. 57 of 2003", "failover    ap-northeast-1"):
        assert words in output
    assert inland_regions("show", "sa-east-1", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["region"]["country"], shown["failover"]) == ("BR", [])
    assert shown["callers"] == ["br"]


def test_show_knows_what_another_cloud_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("show", "me-central1") == 2
    assert "Google Cloud's name for Doha in Qatar" in capsys.readouterr().err


def test_explain_puts_what_is_allowed_first_and_says_a_reason_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert inland_regions("explain", "--country", "JP") == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in table if " allowed " in line] == [
        "ap-northeast-1",
        "ap-northeast-3",
    ]
    assert table[1].startswith("ap-northeast-1")
    assert sum("in the European Economic Area" in line for line in table) == 1


def test_explain_gives_each_region_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("explain", "--country", "de") == 0
    output = capsys.readouterr().out
    assert "Germany (DE)" in output
    assert "the European Economic Area" in output
    for region in ("eu-central-1", "eu-west-1"):
        assert f"{region:<14}  allowed" in output
    for region in ("ap-south-1", "ap-south-2", "me-central-1"):
        assert f"{region:<14}  refused" in output


def test_explain_as_json_is_the_decision(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("explain", "--country", "IN", "--class", "recording", "--json") == 0
    output = capsys.readouterr().out
    answer = json.loads(output)
    assert answer["allowed"] == ["ap-south-1", "ap-south-2"]
    assert answer["jurisdictions"] == ["in"]
    assert (answer["class"], answer["operation"]) == ("recording", "process")
    assert verdicts(output)["eu-central-1"] is False


@pytest.mark.parametrize(
    "words", [("--country", "CN"), ("--country", "CH"), ("--country", "DE", "--op", "export")]
)
def test_status_1_when_no_region_is_allowed(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_regions("explain", *words) == 1
    assert "No region may take this caller" in capsys.readouterr().out


def test_a_tenant_narrows(tenants: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--country", "DE", "--tenant-file", tenants, "--tenant", "clinic", "--json")
    assert inland_regions("explain", *words) == 0
    assert json.loads(capsys.readouterr().out)["allowed"] == ["eu-central-1"]
    assert inland_regions("explain", *words, "--class", "transcript") == 1


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--country", "Germany"), "did you mean DE?"),
        (("--country", "D1"), "such as DE, IN or AE"),
        (("--country", "DE", "--class", "audo"), "is none of audio, recording"),
        (("--country", "DE", "--op", "delete"), "is none of process, store"),
        (("--country", "DE", "--tenant", "clinic"), "give both"),
        (("--country", "DE", "--catalogue", "/nowhere.yaml"), "cannot be read"),
    ],
)
def test_status_2_and_the_cure_for_a_bad_question(
    words: tuple[str, ...], cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_regions("explain", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("inland regions: ")
    assert cure in captured.err


def test_an_unknown_tenant_and_a_typo_in_a_policy_are_bad_input(
    tenants: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("explain", "--country", "DE", "--tenant-file", tenants, "--tenant")
    assert inland_regions(*words, "bakery") == 2
    assert "no tenant 'bakery': it has clinic, typo" in capsys.readouterr().err
    assert inland_regions(*words, "typo") == 2
    assert "the catalogue has no region 'eu-wset-1'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("--number", "+496912345678", "--date", "2032-01-01"), "eu-central-1"),
        (("--country", "US", "--sector", "health"), "us-east-1"),
        (("--country", "DE", "--adequacy"), "eu-west-2"),
    ],
)
def test_explain_says_what_was_asked_and_by_which_policy(
    words: tuple[str, ...], allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_regions("explain", *words, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert allowed in answer["allowed"]
    assert "#" in answer["policy"]
    assert answer["date"] == "2032-01-01" or "--date" not in words
    assert (answer["sectors"], answer["adequacy"]) == (
        ["health"] if "--sector" in words else [],
        "--adequacy" in words,
    )


def test_explain_without_adequacy_on_the_day_after_it_ended_keeps_london_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inland_regions("explain", "--country", "DE", "--adequacy", "--date", "2032-01-01", "--json")
    assert "eu-west-2" not in json.loads(capsys.readouterr().out)["allowed"]


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--number", "+18005550100"), "cannot tell its country"),
        (("--number", "069123456"), "not in international form"),
        (("--country", "DE", "--sector", "helth"), "is none of health, payments"),
        (("--country", "DE", "--date", "today"), "such as 2026-11-21"),
    ],
)
def test_a_question_that_cannot_be_read_is_refused(
    words: tuple[str, ...], cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland_regions("explain", *words) == 2
    assert cure in capsys.readouterr().err


SHIPPED = Path(__file__).parents[2] / "regions" / "catalogue.yaml"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"NO"', "NO", 'quote it "NO"'),
        ("recognises: uk", "recognises: moon", "adequacy[0].recognises: names unknown jur"),
        ("sector: health", "sector: helth", "sector_rules[0].sector: names unknown sector"),
        ('valid_until: "2031', 'valid_until: "2001', "ends before it begins"),
    ],
)
def test_check_names_file_line_and_key_of_a_bad_catalogue(
    old: str, new: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    text = SHIPPED.read_text()
    path.write_text(text.replace(old, new, 1))
    assert inland_regions("check", str(path)) == 1
    error = capsys.readouterr().err
    assert words in error
    line = text[: text.index(old)].count("\n") + 1
    assert f"mine.yaml:{line}: " in error or words.startswith("ends")


def test_check_names_the_line_of_a_tenant_s_slip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tenants.yaml"
    key = "    publishable_keys: [{key: pk_one_key, loopback: true}]\n"
    good = "tenants:\n  - id: one\n    name: One\n    agents: {desk: {}}\n" + key
    path.write_text(good + "    policy:\n      sectors: [helth]\n")
    assert inland_regions("check", str(path)) == 1
    assert "tenants.yaml:7: tenants[0].policy.sectors[0]: " in capsys.readouterr().err
    path.write_text(good + "    policy: {sectors: [health], adequacy: true}\n")
    assert inland_regions("check", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "tenants"


def test_check_finds_the_shipped_catalogue_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert inland_regions("check", str(SHIPPED)) == 0
    assert "24 regions, 14 jurisdictions" in capsys.readouterr().out


def test_a_narrow_terminal_keeps_the_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    inland_regions("explain", "--country", "DE")
    table = capsys.readouterr().out.split("\n\n")[1]
    assert all(len(line) <= 80 for line in table.splitlines())
