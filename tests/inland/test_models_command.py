from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from edge.speech.models import ModelStore, Presence, load_models
from edge.speech.models_folder import models_folder
from inland.commands import models as command
from inland.pull import ATTEMPTS, Puller, PullError, WrongFile
from regions.errors import ConfigError
from tests.fakes.voice import write_piper_voice

BODY = bytes(range(256)) * 4096
"""One megabyte that is not the same everywhere."""


def entry(name: str, url: str, changes: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A catalogue entry for one file with ``BODY`` inside."""
    file = {
        "path": "model.onnx",
        "role": "model",
        "url": url,
        "size": len(BODY),
        "sha256": hashlib.sha256(BODY).hexdigest(),
    }
    return {
        "name": name,
        "kind": "turn",
        "language": "mul",
        "licence": "BSD-2-Clause",
        "source": "https://example.org/model",
        "note": "a test",
        "files": [{**file, **(changes or {})}],
    }


def catalogue(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump({"models": list(entries)}))
    return path


class Origin:
    """A file server that misbehaves as it is told to."""

    def __init__(self, body: bytes = BODY) -> None:
        self.body = body
        self.ranges: list[str | None] = []
        self.cut_after: list[int] = []
        """For one answer after the other: cut the connection after so many bytes."""
        self.statuses: list[int] = []
        self.resumable = True

    async def get(self, request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return web.Response(status=status)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.resumable else 0
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            last = len(self.body) - 1
            response.headers["Content-Range"] = f"bytes {start}-{last}/{len(self.body)}"
        response.content_length = len(self.body) - start
        await response.prepare(request)
        if self.cut_after:
            await response.write(self.body[start : start + self.cut_after.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(self.body[start:])
        return response


@asynccontextmanager
async def serving(origin: Origin) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", origin.get)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class Pull:
    """One pull of one model from an origin."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.store = ModelStore(folder / "models")
        self.origin = origin
        self.waited: list[float] = []
        self.progress: list[int] = []
        self.folder = folder
        self.part = self.store.root / "toy" / "model.onnx.part"
        self.path = self.store.root / "toy" / "model.onnx"

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def run(self, mirrored: bool = False, **changes: Any) -> None:
        async with serving(self.origin) as url:
            direct = "http://127.0.0.1:9/gone" if mirrored else f"{url}/model.onnx"
            wanted = load_models(catalogue(self.folder, entry("toy", direct, changes)))
            puller = Puller(self.store, url if mirrored else None, sleep=self.sleep)
            async with asyncio.timeout(60):
                await puller.pull(
                    list(wanted.models), lambda file, written: self.progress.append(written)
                )


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    return Pull(tmp_path, Origin())


async def test_a_model_is_fetched_once_and_whole(pull: Pull) -> None:
    await pull.run()
    assert pull.path.read_bytes() == BODY
    assert pull.progress[-1] == len(BODY)
    assert pull.progress == sorted(pull.progress)
    assert not pull.part.exists()
    await pull.run()
    assert len(pull.origin.ranges) == 1


async def test_after_a_cut_connection_the_rest_is_fetched(pull: Pull) -> None:
    pull.origin.cut_after = [300_000, 200_000]
    await pull.run()
    assert pull.path.read_bytes() == BODY
    assert pull.origin.ranges[0] is None
    starts = [int(asked[6:-1]) for asked in pull.origin.ranges[1:] if asked is not None]
    assert len(starts) == 2
    # What the kernel still held at a cut may be lost; what was written is not fetched again.
    assert 0 < starts[0] < starts[1] <= 500_000


async def test_a_pull_goes_on_where_an_earlier_one_stopped(pull: Pull) -> None:
    pull.part.parent.mkdir(parents=True)
    pull.part.write_bytes(BODY[:700_000])
    await pull.run()
    assert pull.path.read_bytes() == BODY
    assert pull.origin.ranges == ["bytes=700000-"]


async def test_a_server_without_ranges_starts_again(pull: Pull) -> None:
    pull.origin.resumable = False
    pull.part.parent.mkdir(parents=True)
    pull.part.write_bytes(b"\0" * 700_000)
    await pull.run()
    assert pull.path.read_bytes() == BODY


async def test_a_part_that_is_too_long_is_dropped(pull: Pull) -> None:
    pull.part.parent.mkdir(parents=True)
    pull.part.write_bytes(BODY + b"more")
    await pull.run()
    assert pull.path.read_bytes() == BODY
    assert pull.origin.ranges == [None]


async def test_a_wrong_hash_installs_nothing_and_says_what_to_do(pull: Pull) -> None:
    with pytest.raises(WrongFile, match=r"sha256.*Nothing was installed.*--from"):
        await pull.run(sha256="0" * 64)
    assert not pull.path.exists()
    assert not pull.part.exists()


async def test_a_spoilt_part_is_noticed_and_the_next_pull_is_good(pull: Pull) -> None:
    pull.part.parent.mkdir(parents=True)
    pull.part.write_bytes(b"\0" * 700_000)
    with pytest.raises(WrongFile):
        await pull.run()
    await pull.run()
    assert pull.path.read_bytes() == BODY


async def test_a_file_that_is_gone_is_not_asked_for_again(pull: Pull) -> None:
    pull.origin.statuses = [404]
    with pytest.raises(PullError, match=r"404.*--from"):
        await pull.run()
    assert len(pull.origin.ranges) == 1


async def test_a_busy_server_is_asked_again_later(pull: Pull) -> None:
    pull.origin.statuses = [503, 429, 200]
    await pull.run()
    assert pull.path.read_bytes() == BODY
    assert pull.waited == [1.0, 2.0]


async def test_a_server_that_stays_busy_is_given_up(pull: Pull) -> None:
    pull.origin.statuses = [500] * 100
    with pytest.raises(PullError, match=f"500, {ATTEMPTS} times. Pull again to go on"):
        await pull.run()
    assert len(pull.origin.ranges) == ATTEMPTS


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(pull: Pull) -> None:
    pull.origin.body = BODY + b"more"
    with pytest.raises(WrongFile, match="not the same file"):
        await pull.run()
    assert not pull.part.exists()


async def test_a_body_that_never_ends_is_cut_off_at_the_known_size(tmp_path: Path) -> None:
    source = tmp_path / "mirror" / "toy" / "model.onnx"
    source.parent.mkdir(parents=True)
    source.write_bytes(BODY * 3)
    store = ModelStore(tmp_path / "models")
    wanted = load_models(catalogue(tmp_path, entry("toy", "https://example.org/x")))
    with pytest.raises(WrongFile, match="more than the 1048576 bytes"):
        await Puller(store, str(tmp_path / "mirror")).pull(list(wanted.models), lambda *_: None)
    assert list((store.root / "toy").iterdir()) == []


async def test_a_mirror_is_laid_out_like_the_models_folder(pull: Pull) -> None:
    await pull.run(mirrored=True)
    assert pull.path.read_bytes() == BODY


async def test_a_full_disk_is_noticed_before_the_first_byte(
    pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("inland.pull.shutil.disk_usage", lambda path: usage)
    with pytest.raises(PullError, match=r"1.0 MB to fetch and 0.0 MB free.*INLAND_MODELS"):
        await pull.run()
    assert pull.origin.ranges == []


async def test_two_pulls_do_not_write_over_each_other(pull: Pull) -> None:
    import fcntl

    pull.store.root.mkdir()
    with (pull.store.root / ".pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PullError, match="another pull"):
            await pull.run()


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def inland(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("INLAND_MODELS", str(tmp_path / "models"))
    parser = argparse.ArgumentParser()
    command.configure(parser)

    def run(*words: str | Path) -> int:
        return command.run(parser.parse_args([str(word) for word in words]))

    return run


def mirror(folder: Path) -> Path:
    """A mirror with a toy voice and a file that is no model, and the catalogue that lists them."""
    path = write_piper_voice(folder / "mirror" / "toy-voice")
    files = [
        {
            "path": found.name,
            "role": role,
            "url": f"https://example.org/{found.name}",
            "size": found.stat().st_size,
            "sha256": hashlib.sha256(found.read_bytes()).hexdigest(),
        }
        for role, found in (("model", path), ("config", Path(f"{path}.json")))
    ]
    voice = {**entry("toy-voice", "x"), "kind": "voice", "language": "en-US", "files": files}
    (folder / "mirror" / "bad").mkdir()
    (folder / "mirror" / "bad" / "model.onnx").write_bytes(BODY)
    return catalogue(folder, voice, entry("bad", "https://example.org/bad"))


def test_pull_then_verify_then_list(
    inland: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = mirror(tmp_path)
    pulled = inland("pull", "toy-voice", "--from", tmp_path / "mirror", "--catalogue", listed)
    shown = capsys.readouterr().out
    assert pulled == 0
    assert "licence BSD-2-Clause" in shown
    assert "en_US-toy.onnx: 100 %" in shown
    assert inland("verify", "--catalogue", listed) == 0
    assert capsys.readouterr().out == "toy-voice: sound, and it loads\n"
    assert inland("list", "--json", "--catalogue", listed) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["here"]) for row in rows] == [
        ("toy-voice", "present"),
        ("bad", "absent"),
    ]
    assert inland("list", "--catalogue", listed) == 0
    assert "toy-voice  voice  en-US" in capsys.readouterr().out


def test_a_model_that_does_not_load_is_named_although_its_bytes_are_right(
    inland: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = mirror(tmp_path)
    assert inland("pull", "bad", "--from", tmp_path / "mirror", "--catalogue", listed) == 0
    capsys.readouterr()
    assert inland("verify", "bad", "--catalogue", listed) == 1
    shown = capsys.readouterr().out
    assert "bad: its files are right, so this machine cannot use it" in shown
    assert "loading it ended with status 1: " in shown


def test_a_model_that_ends_its_process_does_not_end_the_command(
    inland: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    killer = tmp_path / "python"
    killer.write_text("#!/bin/sh\nkill -ABRT $$\n")
    killer.chmod(0o755)
    listed = mirror(tmp_path)
    inland("pull", "bad", "--from", tmp_path / "mirror", "--catalogue", listed)
    monkeypatch.setattr("sys.executable", str(killer))
    assert inland("verify", "--catalogue", listed) == 1
    assert "loading it ended with signal 6: no word" in capsys.readouterr().out


def test_verify_finds_a_changed_byte(
    inland: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = mirror(tmp_path)
    inland("pull", "toy-voice", "--from", tmp_path / "mirror", "--catalogue", listed)
    path = tmp_path / "models" / "toy-voice" / "en_US-toy.onnx"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    capsys.readouterr()
    assert inland("verify", "--catalogue", listed) == 1
    shown = capsys.readouterr().out
    assert "fetch it again with `inland models pull toy-voice`" in shown
    assert "its sha256 is" in shown


def test_nothing_here_is_nothing_wrong(
    inland: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland("verify") == 0
    assert "inland models pull" in capsys.readouterr().out
    assert inland("verify", "smart-turn-v3.2") == 1
    assert "missing" in capsys.readouterr().out


def test_a_name_that_is_nearly_right_is_corrected(
    inland: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inland("pull", "zipformer") == 2
    assert "no model 'zipformer': did you mean zipformer-en?" in capsys.readouterr().err


def test_a_failed_pull_is_told_without_a_traceback(
    inland: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = mirror(tmp_path)
    assert inland("pull", "bad", "--from", tmp_path / "no", "--catalogue", listed) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("path", "../../etc/passwd", "path"),
        ("path", ".pull.lock", "path"),
        ("url", "file:///etc/passwd", "url"),
        ("sha256", "abc", "sha256"),
        ("size", 0, "size"),
        ("role", "joiner", "a turn has one file for each of: model"),
    ],
)
def test_a_catalogue_that_is_wrong_says_where(
    inland: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: object,
    said: str,
) -> None:
    listed = catalogue(tmp_path, entry("toy", "https://example.org/x", {key: value}))
    assert inland("list", "--catalogue", listed) == 2
    error = capsys.readouterr().err
    assert "catalogue.yaml" in error
    assert said in error


def test_a_name_is_listed_once(tmp_path: Path) -> None:
    listed = [entry("toy", "https://example.org/x") for _ in range(2)]
    with pytest.raises(ConfigError, match="named twice: toy"):
        load_models(catalogue(tmp_path, *listed))


def test_the_catalogue_that_ships_is_pinned_to_revisions() -> None:
    shipped = load_models()
    assert {model.kind for model in shipped.models} == {"recognizer", "voice", "turn"}
    for model in shipped.models:
        for file in model.files:
            assert "/resolve/main/" not in file.url
            assert file.url.startswith("https://huggingface.co/")
            assert file.url.endswith(f"/{file.path}")


def test_a_model_is_present_when_every_file_is(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    listed = load_models()
    model = listed.models[0]
    assert store.presence(model) is Presence.ABSENT
    for file in model.files:
        path = store.path(model, file)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.truncate(path, file.size)
        whole = file is model.files[-1]
        assert store.presence(model) is (Presence.PRESENT if whole else Presence.PARTIAL)
    assert store.installed(listed, "recognizer") == [model]
    assert store.installed(listed, "voice") == []
    assert store.role(model, "tokens") == tmp_path / model.name / "tokens.txt"


def test_the_folder_follows_the_environment() -> None:
    assert models_folder({"INLAND_MODELS": "/srv/models"}) == Path("/srv/models")
    assert models_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/inland/models")
    assert models_folder({}) == Path("~/.local/share/inland/models").expanduser()
