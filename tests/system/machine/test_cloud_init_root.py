"""A machine boots: real cloud-init runs our user data, real systemd our units, in a real Debian 12.

A rehearsal, in a container on this machine's kernel: AWS is a fake, no cloud image has been booted,
and the packages that cloud-init asks apt for are there already, as no mirror is.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from infra.cloud_init.document import DOCUMENT_PATH, audit_log_group
from tests.system.machine.debian import until
from tests.system.machine.region_cloud import NODE_SECRET
from tests.system.machine.stage import (
    ARCHITECTURE,
    BUCKET,
    DOMAIN,
    DRAIN,
    INSTANCE,
    LAUNCH,
    NOTICE,
    PUBLIC,
    REGION,
    Packed,
    stage,
)
from tests.system.machine.story import (
    SECONDS,
    Story,
    goes_to_the_warm_pool,
    journal_of,
    leaves,
    record_arguments,
    serves,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
INSTALL = ("/usr/local/sbin/install-inland", ARCHITECTURE, "edge")


@pytest.fixture(scope="module")
def story(
    image: Path, release: Packed, site: Packed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """One edge's life; the machine still runs when the tests look."""
    folder = tmp_path_factory.mktemp("edge")
    with stage(folder, image, release, site) as here, ExitStack() as closing:
        document = here.document(here.edge())
        here.lay_out(document)
        record_arguments(here.root)
        here.upload(site)
        here.cloud.end.machine.target_lifecycle_state = "Warmed:Stopped"
        here.cloud.group.waiting.add(LAUNCH)
        began = time.monotonic()
        with here.boot() as machine:
            told = Story(here, machine)
            goes_to_the_warm_pool(told, began)
        here.cloud.end.machine.target_lifecycle_state = "InService"
        here.cloud.group.waiting.add(LAUNCH)
        began = time.monotonic()
        told.machine = closing.enter_context(here.boot())
        serves(told, document, began)
        here.cloud.group.waiting.add(DRAIN)
        here.cloud.end.machine.target_lifecycle_state = "Terminated"
        leaves(told, document)
        yield told


def test_cloud_init_takes_the_user_data_without_an_error(story: Story) -> None:
    assert story.cloud_init["status"] == "done", story.cloud_init
    assert story.cloud_init["errors"] == []
    log = (story.stage.root / "var/log/cloud-init.log").read_text()
    assert "Invalid cloud-config" not in log


def test_a_release_that_comes_after_the_machine_is_waited_for(story: Story) -> None:
    release = story.stage.release
    answers = [status for path, status in story.stage.cloud.end.fetched if release.key in path]
    assert answers[0] == 404
    assert answers[-1] == 200
    assert f"{release.key} cannot be had from {BUCKET} yet" in story.waited


def test_bundles_are_asked_for_as_the_role_and_its_secrets_are_no_arguments(story: Story) -> None:
    end = story.stage.cloud.end
    assert end.forged == []
    arguments = (story.stage.root / "opt/inland/curl-arguments").read_text()
    assert f"{BUCKET}/{story.stage.release.key}" in arguments
    assert end.machine.secret_key not in arguments
    assert end.machine.session_token not in arguments
    assert "token:" not in arguments


def test_a_machine_of_the_warm_pool_is_installed_and_has_no_secret_yet(story: Story) -> None:
    assert not story.prepared_while_warm
    assert story.stage.cloud.group.results[0] == (LAUNCH, "CONTINUE")


def test_a_woken_machine_installs_nothing_again(story: Story) -> None:
    assert len(story.stage.cloud.end.fetched) == story.fetched_before_wake
    assert story.seconds["woken: ready"] < story.seconds["installed"]


def test_the_node_says_that_it_is_ready_when_all_of_it_is(story: Story) -> None:
    assert story.ready["ready"] is True
    assert story.ready["region"] == "eu-central-1"
    assert story.ready["checks"]["store"] is True
    assert story.ready["capacity"] == 10


def test_a_caller_talks_with_the_agent_of_the_booted_machine(story: Story) -> None:
    (connected,) = [record for record in story.call if record["record"] == "connected"]
    assert connected["url"] == f"https://eu-central-1-{INSTANCE}.{DOMAIN}"
    said = [record["text"] for record in story.call if record["record"] == "agent"]
    heard = [record for record in story.call if record["record"] == "caller"]
    assert said == [
        f"{NOTICE} Service desk. I can arrange a callback for you. How can I help?",
        "What is your customer number? It has six digits.",
    ]
    assert [record["text"] for record in heard] == ["request a callback"]


def test_the_control_plane_counts_it_in_under_the_same_law(story: Story) -> None:
    (node,) = story.state["nodes"]
    assert node["health"] == "live"
    assert node["url"] == f"https://eu-central-1-{INSTANCE}.{DOMAIN}"
    assert node["policy"] == story.state["policy"]
    assert node["serial"] == story.state["serial"] == story.ready["policy_serial"] == 1


def test_it_follows_the_operator_who_signs_another_law_while_it_serves(story: Story) -> None:
    assert story.followed["policy_serial"] == 2
    assert story.followed["ready"] is True
    lines = (story.stage.root / "var/lib/inland/audit.jsonl").read_text().splitlines()
    laws = [entry for entry in map(json.loads, lines) if entry["event"] == "policy_in_force"]
    assert [entry["facts"]["serial"] for entry in laws] == [1, 2]


def test_the_call_is_recorded_sealed_and_by_the_fleets_own_key_in_its_bucket(story: Story) -> None:
    segments = {name: found for name, found in story.recorded.items() if name[-8:].isdigit()}
    assert segments
    for name, (about, body) in segments.items():
        assert name.startswith("fleet/demo-bank/"), name
        assert (about["ServerSideEncryption"], about["SSEKMSKeyId"]) == (
            "aws:kms",
            story.stage.sealing_key,
        )
        assert body
        assert b"fLaC" not in body
    assert [name for name in story.recorded if not name.startswith("fleet/")] == []


def test_callers_find_the_certificate_of_the_domain_on_port_443(story: Story) -> None:
    certificate = x509.load_pem_x509_certificate(story.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"*.{DOMAIN}"]


def test_the_address_record_stands_as_long_as_the_node_serves(story: Story) -> None:
    assert story.served == {f"eu-central-1-{INSTANCE}.{DOMAIN}": [PUBLIC]}
    assert story.left == {}


def test_the_terminate_hook_is_answered_after_the_drain(story: Story) -> None:
    assert story.stage.cloud.group.results[1:] == [(LAUNCH, "CONTINUE"), (DRAIN, "CONTINUE")]
    edge = story.machine.properties("inland-edge.service", "ActiveState", "Result")
    assert edge == {"ActiveState": "inactive", "Result": "success"}
    assert '"draining"' in journal_of(story.machine, "inland-edge")


def test_what_runs_for_callers_has_no_right_but_to_bind_low_ports(story: Story) -> None:
    net_bind_service = 1 << 10
    for unit, capabilities in (("inland-edge", net_bind_service), ("inland-agent", 0)):
        status = story.status[unit]
        assert status["Uid"].split()[0] != "0", unit
        assert int(status["CapEff"], 16) == capabilities, unit
        assert int(status["CapBnd"], 16) == capabilities, unit
        assert status["NoNewPrivs"] == "1", unit
        assert status["Seccomp"] == "2", unit


def test_systemd_finds_little_that_a_service_could_do_to_its_machine(story: Story) -> None:
    for unit in ("inland-edge", "inland-prepare", "inland-agent"):
        story.machine.run("systemd-analyze", "security", "--threshold=20", f"{unit}.service")


def test_nothing_secret_and_no_line_of_the_node_is_on_the_disk(story: Story) -> None:
    story.machine.run("journalctl", "--sync")
    for text in (NODE_SECRET, "takes calls for eu-central-1", "BEGIN PRIVATE KEY"):
        found = subprocess.run(
            ["grep", "-rlF", text, *(story.stage.root / name for name in ("etc", "var", "home"))],
            capture_output=True, text=True,
        )  # fmt: skip
        assert found.stdout == "", text


def test_the_services_reach_only_what_a_node_needs_and_the_node_knows_that_they_do(
    story: Story,
) -> None:
    refused = 7  # "Failed to connect to host."
    assert story.reached == {"root": 0, "inland": refused}
    assert "meta skuid !=" in story.barrier
    command = story.machine.run("systemctl", "show", "--property=ExecStart", "inland-edge")
    assert " --production " in command
    loaded = story.machine.properties("load-barrier.service", "Result", "ActiveState")
    assert loaded["Result"] == "success"


def test_the_keys_of_sessions_are_wrapped_by_kms_for_their_tenant_alone(story: Story) -> None:
    heard = bytes(story.stage.services.heard)
    assert b"TrentService.DescribeKey" in heard
    assert b"TrentService.Encrypt" in heard
    assert b'"inland:tenant": "demo-bank"' in heard
    assert b'"inland:region": "eu-central-1"' in heard
    assert b"alias/inland/eu-central-1/demo-bank" in heard


def test_the_audit_log_outlives_the_service_and_is_where_no_node_can_take_it_back(
    story: Story,
) -> None:
    path = story.stage.root / "var/lib/inland/audit.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    events = [entry["event"] for entry in kept]
    assert events[:2] == ["log_began", "node_started"]
    assert "session_begun" in events
    network, logs = story.stage.cloud.network, story.stage.cloud.operator.client("logs")

    def arrived(stream: str) -> list[str]:
        try:
            found = logs.get_log_events(
                logGroupName=audit_log_group(REGION),
                logStreamName=f"{INSTANCE}/{stream}",
                startFromHead=True,
            )
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]

    def all_of_it() -> list[str] | None:
        found = network.call(lambda: arrived("audit"))
        return found if len(found) >= len(kept) else None

    shipped = until(all_of_it, SECONDS, "the audit log is shipped")
    assert [json.loads(line) for line in shipped][: len(kept)] == kept
    heads = (path.parent / "audit.heads").read_text().split()
    assert set(network.call(lambda: arrived("heads"))) <= set(heads)
    assert heads


def test_a_core_is_never_dumped_and_memory_never_swapped(story: Story) -> None:
    names = ("LimitCORE", "MemorySwapMax")
    for unit in ("inland-edge", "inland-prepare", "inland-agent"):
        limits = story.machine.properties(f"{unit}.service", *names)
        assert limits == {"LimitCORE": "0", "MemorySwapMax": "0"}, unit
    assert story.machine.properties("swap.target", "LoadState") == {"LoadState": "masked"}


def test_the_install_may_be_run_again_and_changes_nothing(story: Story) -> None:
    fetched = len(story.stage.cloud.end.fetched)
    assert "installed" in story.machine.run(*INSTALL)
    assert len(story.stage.cloud.end.fetched) == fetched
    assert [path.name for path in (story.stage.root / "opt/inland").glob("work.*")] == []


def test_a_bundle_that_is_another_than_its_name_says_is_not_unpacked(story: Story) -> None:
    false = Packed("f" * 64, story.stage.site.path)
    story.stage.upload(false)
    with told_another_site(story, false):
        said = story.machine.run("timeout", "3", *INSTALL, check=False)
    assert f"{false.key} is another file than its name says" in said
    assert site_of(story) == story.stage.site.sha256


def test_a_bundle_with_a_link_in_it_is_not_unpacked(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "linked.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("agents")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    linked = Packed(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    story.stage.upload(linked)
    with told_another_site(story, linked):
        said = story.machine.run("timeout", "30", *INSTALL, check=False)
    assert "holds something else than files and directories" in said
    assert site_of(story) == story.stage.site.sha256


@contextmanager
def told_another_site(story: Story, site: Packed) -> Iterator[None]:
    """The machine's document names ``site``, for a while."""
    path = story.stage.root / DOCUMENT_PATH.lstrip("/")
    before = path.read_text()
    path.write_text(before.replace(story.stage.site.sha256, site.sha256))
    yield
    path.write_text(before)


def site_of(story: Story) -> str:
    """The digest of the site that the machine serves."""
    return (story.stage.root / "opt/inland/site").readlink().name
