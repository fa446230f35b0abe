"""Logs carry no speech, whoever writes them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from edge.logs import JsonFormatter, pseudonym, short


def line(record: logging.LogRecord) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(JsonFormatter(node="n1").format(record))
    return loaded


def record(logger: str, message: str, **extra: object) -> logging.LogRecord:
    made = logging.getLogger(logger).makeRecord(
        logger, logging.INFO, "f.py", 1, message, (), None, extra=extra
    )
    return made


def test_fields_outside_the_allow_list_do_not_appear() -> None:
    text = line(
        record("edge.call", "call opened", call="c1", transcript="my secret", ip="10.0.0.1")
    )
    assert text["call"] == "c1"
    assert "secret" not in json.dumps(text)
    assert "10.0.0.1" not in json.dumps(text)


def test_text_of_an_exception_stays_out_and_its_place_stays_in() -> None:
    try:
        raise ValueError("the caller said my secret")
    except ValueError as error:
        made = record("edge.call", "call failed")
        made.exc_info = (ValueError, error, error.__traceback__)
    text = line(made)
    assert text["exception"] == "ValueError"
    assert "test_logs.py" in json.dumps(text["where"])
    assert "secret" not in json.dumps(text)


def test_messages_of_other_libraries_are_reduced_to_their_name() -> None:
    assert line(record("aiortc", "peer 10.0.0.1 said hello"))["message"] == "aiortc"


def test_a_call_is_named_in_logs_without_its_id() -> None:
    call_id = "rtc_w1_aaaaaaaaaaaaaaaaaaaaaa"
    assert short(call_id) == short(call_id) != short(call_id + "b")
    assert len(short(call_id)) == 12
    assert short(call_id) not in call_id


def test_group_of_errors_is_followed_by_what_is_inside() -> None:
    try:
        try:
            raise ValueError("the caller said my secret")
        except ValueError as error:
            raise ExceptionGroup("secret", [ExceptionGroup("secret", [error])]) from None
    except ExceptionGroup as group:
        made = record("edge.call", "call failed")
        made.exc_info = (type(group), group, group.__traceback__)
    text = line(made)
    assert text["exception"] == "ExceptionGroup"
    assert '"ValueError"' in json.dumps(text["inside"])
    assert "secret" not in json.dumps(text)


UNCAUGHT = """
import asyncio, sys, threading
from edge.logs import configure_logging, log_loop_errors
configure_logging("info", node="n1")

def broken():
    raise ValueError("my secret")

class Leaving:
    def __del__(self):
        broken()

async def main():
    loop = asyncio.get_running_loop()
    log_loop_errors(loop)
    loop.call_soon(broken)
    await asyncio.sleep(0)
    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()
    Leaving()
    broken()

asyncio.run(main())
"""


def test_error_that_nobody_caught_is_a_line_of_json_without_its_text() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == [
        "an error of the loop",
        "a thread broke",
        "an error had nowhere to go",
        "nobody caught this",
    ]
    assert {line["exception"] for line in lines} == {"ValueError"}
    assert all("broken" in json.dumps(line["where"]) for line in lines)
    assert "secret" not in done.stderr
    assert done.returncode == 1


def test_a_stranger_is_the_same_in_one_process_and_nobody_in_the_next() -> None:
    number = "+493023125789"
    ours = pseudonym(number)
    assert ours == pseudonym(number) != pseudonym("+493023125788")
    code = f"from edge.logs import pseudonym; print(pseudonym({number!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() != ours
    assert len(ours) == 12 and number[1:] not in ours
