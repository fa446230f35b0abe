"""A call that is recorded: both voices on their sides, told first, sealed, and gone when erased."""

from __future__ import annotations

import asyncio
import json
import shutil
import wave
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
import pytest
import soxr
import yaml

from edge.session.receipt import Receipt, read_receipt
from inland.bench.errors import BenchError
from inland.bench.private_node import COUNTRY, REGION, Engines, PrivateNode, private_node
from inland.demo.ports import HOST, free_ports
from inland.receipt.files import read_key_set
from tests.edge.recording.s3_server import S3Server, s3_server
from tests.fakes.canary import Canaries
from tests.system.kept import sessions
from tests.system.world import INLAND, quiet_environment, until

pytestmark = pytest.mark.system

TENANT, AGENT = "demo-clinic", "clinic-reception"
NOTICE = "Calls to this clinic are recorded."
SAID = "I would like to book an appointment"
RATE = 16_000
Track = npt.NDArray[np.float64]
STEP = 320
"""20 ms, samples."""
WINDOW, SLACK = 25, 50
"""Of :func:`likeness`, steps."""
SHIFTS = range(2 * SLACK)
SILENT = 1e-4


@dataclass
class Studio:
    """A node whose agent records, its settings, and where recordings are."""

    node: PrivateNode
    config: Path
    recordings: Path
    sip: int
    root: Path

    async def inland(self, *command: str) -> tuple[int, str, str]:
        """An operator's or a caller's command; its status and what it wrote."""
        process = await asyncio.create_subprocess_exec(
            *INLAND, *command, stdout=PIPE, stderr=PIPE, env=quiet_environment()
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def call(self, *target: str) -> Path:
        """One call, in which a sentence is said; what its caller sent and heard."""
        mine = self.root / "mine.wav"
        status, out, err = await self.inland("call", *target, "--say", SAID, "--record", str(mine))
        assert status == 0, out + err
        return mine

    def session(self) -> str:
        (found,) = sessions((self.node.logs / "edge.log").read_text())
        return found

    async def over(self) -> Receipt:
        """The receipt of the only call, once it is written."""
        secret = {"Authorization": f"Bearer {self.secret}"}
        url = f"{self.node.edge}/v1/sessions/{self.session()}/receipt?tenant={TENANT}"
        found: list[str] = []
        async with aiohttp.ClientSession(headers=secret) as http:

            async def written() -> bool:
                async with http.get(url) as got:
                    found[:] = (await got.json()).get("receipts", [])
                return bool(found)

            await until(written)
            async with http.get(f"{self.node.edge}/v1/receipt-keys") as got:
                keys = read_key_set(await got.read(), "the edge")
        return read_receipt(found[-1], keys)

    @property
    def secret(self) -> str:
        (process,) = [self.node.processes["dispatcher"]]
        return process.environ()["INLAND_NODE_SECRET"]

    async def export(self, name: str = "kept.wav") -> tuple[int, Path, str]:
        output = self.root / name
        status, out, err = await self.inland(
            "recordings", "export", self.session(), "--config", str(self.config),
            "--tenant", TENANT, "--output", str(output), "--json",
        )  # fmt: skip
        return status, output, out + err


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    async with recording_node(tmp_path, {"folder": str(tmp_path / "recordings")}) as found:
        yield found


@asynccontextmanager
async def recording_node(tmp_path: Path, place: dict[str, str]) -> AsyncIterator[Studio]:
    (port,) = free_ports(1)
    config, recordings = tmp_path / "edge.yaml", tmp_path / "recordings"

    def change(settings: dict[str, Any]) -> None:
        agents = tmp_path / "agents"
        shutil.copytree(settings["agents"], agents)
        agent = yaml.safe_load((agents / f"{AGENT}.yaml").read_text())
        agent["recording"] = {"notice": NOTICE}
        (agents / f"{AGENT}.yaml").write_text(yaml.safe_dump(agent))
        settings["agents"] = str(agents)
        settings["recordings"] = place
        settings["sip"] = {
            "listen": [f"udp://{HOST}:{port}"],
            "media_ports": [42_000, 42_999],
            "trunks": [{"name": "desk", "networks": ["127.0.0.0/8"], "routes": [REGION]}],
            "numbers": [{"user": "clinic", "country": COUNTRY, "tenant": TENANT, "agent": AGENT}],
        }
        settings["capacity"] = 50
        config.write_text(yaml.safe_dump(settings))

    async with private_node(tmp_path / "node", Engines(), change) as node:
        yield Studio(node, config, recordings, port, tmp_path)


def tracks(path: Path) -> tuple[Track, Track]:
    """Left and right at 16 kHz, -1 to 1."""
    with wave.open(str(path)) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        rate = file.getframerate()
    both = soxr.resample(audio.astype(np.float64) / 32768, rate, RATE)
    return both[:, 0], both[:, 1]


def envelope(track: Track) -> Track:
    """Loudness in steps of 10 ms: codecs change the wave, and not how loud it is when."""
    whole = len(track) // 160 * 160
    steps: Track = np.sqrt(np.mean(track[:whole].reshape(-1, 160) ** 2, axis=1))
    return steps


def bands(track: Track) -> Track:
    """Shape (steps of 20 ms, 7): log energy between 300 and 3,100 Hz, what a telephone carries."""
    whole = len(track) // STEP * STEP
    frames = track[:whole].reshape(-1, STEP) * np.hanning(STEP)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = (6, 10, 15, 21, 28, 37, 48, 62)  # of 50 Hz each
    energy = [power[:, low:high].sum(axis=1) for low, high in pairwise(edges)]
    found: Track = np.log10(np.stack(energy, axis=1) + SILENT)
    return found


def likeness(kept: Track, other: Track) -> float:
    """How alike two tracks sound where ``kept`` is loud: the median over stretches of half a second
    of how well each correlates with ``other`` where it fits best within a second. A busy machine
    plays speech late and with pauses in it, on both sides at other moments: whole sentences do not
    lie on each other."""
    a, b = bands(kept), bands(other)
    quiet = np.full((len(a) + SLACK, a.shape[1]), np.log10(SILENT))
    b = np.concatenate((quiet[:SLACK], b, quiet))
    found = [
        max(
            correlation(a[at : at + WINDOW], b[at + shift : at + shift + WINDOW])
            for shift in SHIFTS
        )
        for at in range(0, len(a) - WINDOW, WINDOW)
        if kept[at * STEP : (at + WINDOW) * STEP].std() > 0.02
    ]
    return float(np.median(found)) if found else 0.0


def correlation(one: Track, other: Track) -> float:
    """Of two spectrograms, -1 to 1; -1 where one of them has nothing in it."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if other.std() else -1.0


@pytest.mark.parametrize("medium", ["webrtc", "sip"])
async def test_the_caller_is_left_and_the_agent_right_as_they_were_heard(
    studio: Studio, medium: str
) -> None:
    if medium == "sip":
        mine = await studio.call(f"sip:clinic@{HOST}:{studio.sip}")
    else:
        mine = await studio.call("--from", COUNTRY, "--control-plane", studio.node.control_plane)
    receipt = await studio.over()
    status, path, text = await studio.export()
    assert status == 0, text
    (told,) = json.loads(text)
    assert told["whole"]
    sent, heard = tracks(mine)
    left, right = tracks(path)
    assert likeness(left, sent) > 0.7
    assert likeness(right, heard) > 0.7
    assert likeness(left, heard) < 0.5
    assert likeness(right, sent) < 0.5
    assert abs(len(left) / RATE - (receipt.ended - receipt.began)) < 5
    # The sides are on one clock: what came first then, came so much earlier here.
    assert abs(onset(left) - onset(right) - (onset(sent) - onset(heard))) < 1
    lines = {(one.kind, one.name): one for one in receipt.lines if one.data_class == "recording"}
    kept = lines["bucket", "folder"]
    files = [each for each in studio.recordings.glob(f"{TENANT}/*/*/*") if each.is_file()]
    assert kept.sent == sum(each.stat().st_size for each in files)
    assert (kept.operation, kept.region) == ("store", REGION)
    assert receipt.outside == ()


def onset(track: Track) -> float:
    """When the track is first loud, seconds."""
    loud = envelope(track) > 0.02
    return float(np.argmax(loud)) / 100


async def test_what_is_kept_is_sealed_and_gone_with_its_key(studio: Studio) -> None:
    await studio.call("--from", COUNTRY, "--control-plane", studio.node.control_plane)
    await studio.over()
    session = studio.session()
    status, path, text = await studio.export()
    assert status == 0, text
    with wave.open(str(path)) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    loudest = int(np.argmax(np.abs(audio[:, 0])))
    canaries = Canaries(
        {"notice": NOTICE, "said": SAID},
        {
            "caller": audio[loudest : loudest + 40, 0].tobytes(),
            "both": audio[loudest : loudest + 40].tobytes(),
            "flac": b"fLaC\x00\x00\x00\x22",
        },
    )
    files = [each for each in studio.recordings.rglob("*") if each.is_file()]
    assert files
    assert [leak for each in files for leak in canaries.leaks(each.read_bytes())] == []
    assert {leak.canary for leak in canaries.leaks(path.read_bytes())} == {"both"}
    shutil.copytree(studio.recordings, studio.root / "backup")
    erase = ("data", "erase", "--config", str(studio.config), "--tenant", TENANT)
    status, out, err = await studio.inland(*erase, "--session", session)
    assert status == 0, out + err
    assert list(studio.recordings.rglob("*")) == []
    shutil.copytree(studio.root / "backup", studio.recordings, dirs_exist_ok=True)
    status, path, text = await studio.export("after.wav")
    assert status == 2, text
    assert not path.exists()


async def test_the_caller_is_told_before_their_voice_is_kept(studio: Studio) -> None:
    """The notice is the first thing that the agent says, and the caller's side is silent until it
    is over, whatever the caller says meanwhile."""
    script = studio.root / "script.txt"
    script.write_text(f"!barge 300ms {SAID}\n!wait 1s\n")
    mine = studio.root / "mine.wav"
    status, out, err = await studio.inland(
        "call", "--from", COUNTRY, "--control-plane", studio.node.control_plane,
        "--script", str(script), "--record", str(mine), "--json",
    )  # fmt: skip
    assert status in (0, 5), out + err
    assert NOTICE in out
    await studio.over()
    _, path, _ = await studio.export()
    sent, heard = tracks(mine)
    left, right = tracks(path)
    notice = 1.5  # seconds, at least
    assert onset(sent) < onset(heard) + notice, "the caller spoke before it was over"
    assert not np.any(left[: round((onset(right) + notice) * RATE)])


async def test_a_bucket_of_the_region_keeps_it_until_it_is_erased(tmp_path: Path) -> None:
    with s3_server() as s3:
        place = {"bucket": s3.bucket("of-this-region"), "endpoint": s3.url}
        async with recording_node(tmp_path, place) as studio:
            await studio.call("--from", COUNTRY, "--control-plane", studio.node.control_plane)
            receipt = await studio.over()
            status, path, text = await studio.export()
            assert status == 0, text
            assert all(np.any(track) for track in tracks(path))
            (kept,) = (one for one in receipt.lines if one.kind == "bucket")
            assert (kept.name, kept.endpoint) == ("of-this-region", s3.url)
            objects = bodies(s3, "of-this-region")
            assert kept.sent == sum(len(body) for body in objects)
            assert not any(b"fLaC" in body for body in objects)
            status, out, err = await studio.inland(
                "data", "erase", "--config", str(studio.config), "--tenant", TENANT,
                "--session", studio.session(),
            )  # fmt: skip
            assert status == 0, out + err
            assert bodies(s3, "of-this-region") == []


def bodies(s3: S3Server, bucket: str) -> list[bytes]:
    """Every object of a bucket."""
    client = s3.client()
    try:
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [client.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed]
    finally:
        client.close()


async def test_a_node_does_not_start_with_a_bucket_of_another_region(tmp_path: Path) -> None:
    with s3_server() as s3:
        place = {"bucket": s3.bucket("of-mumbai", "ap-south-1"), "endpoint": s3.url}
        with pytest.raises(BenchError, match=r"is in region ap-south-1, and this is eu-central-1"):
            async with recording_node(tmp_path, place):
                pass
