"""``inland call`` with a telephone: from the options of the command line to its exit status."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import aiohttp

from inland.caller.options import (
    AGENT,
    TIMEOUT_SECONDS,
    CallOptions,
    default_control_plane,
    default_key,
)
from inland.caller.records import Note
from inland.caller.script import Script
from inland.caller.utterances import utterances
from inland.phone.call import PhoneCaller
from inland.phone.edge_orders import HttpDesk
from inland.phone.options import (
    CODECS,
    RING_SECONDS,
    PhoneOptions,
    check_script,
    credentials,
    peer_tls,
)
from inland.phone.order import OrderedCaller
from inland.phone.order_options import RING_SECONDS as ORDER_RING_SECONDS
from inland.phone.order_options import OrderOptions
from inland.phone.records import OrderRecord, PhoneRecord, to_json
from inland.phone.telephone import DEFAULT_USER
from inland.phone.terminal import PhoneTerminal


class Printer:
    """Prints records by ``write``, which gets whole lines."""

    def __init__(self, write: Callable[[str], None], *, colour: bool, as_json: bool) -> None:
        self._write = write
        self._terminal = PhoneTerminal(write, colour=colour)
        self._as_json = as_json

    def show(self, record: PhoneRecord | OrderRecord) -> None:
        """Print one record."""
        if self._as_json:
            self._write(to_json(record))
        else:
            self._terminal.show(record)


def phone_options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> PhoneOptions:
    """Raises ``ValueError`` that names the option."""
    login = credentials(arguments.user, arguments.password_env, environment)
    own = arguments.caller or (DEFAULT_USER if login is None else login.username)
    return PhoneOptions(
        target=arguments.target,
        codecs=(arguments.codec,) if arguments.codec else CODECS,
        srtp=arguments.srtp or "optional",
        caller=own,
        credentials=login,
        tls=peer_tls(arguments.ca, insecure=arguments.insecure),
        ring=RING_SECONDS if arguments.ring is None else arguments.ring,
        timeout=TIMEOUT_SECONDS if arguments.timeout is None else arguments.timeout,
        hold_after=arguments.hold_after,
        record=arguments.record,
    )


def call_from_telephone(arguments: argparse.Namespace, script: Script, printer: Printer) -> int:
    """Make one phone call; returns the exit status. Raises ``ValueError`` for what cannot be asked
    of a telephone, and ``CallerError``."""
    check_script(script)
    options = phone_options(arguments, os.environ)
    return asyncio.run(_call(options, script, arguments.voice, printer))


def order_options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> OrderOptions:
    """Raises ``ValueError`` that names the option."""
    ring = ORDER_RING_SECONDS if arguments.ring is None else arguments.ring
    return OrderOptions(
        to=arguments.target,
        trunk=arguments.trunk,
        caller_id=arguments.caller_id,
        ring=round(ring),
        call=CallOptions(
            control_plane=arguments.control_plane or default_control_plane(environment),
            key=arguments.key or default_key(environment),
            country=arguments.country,
            agent=arguments.agent or AGENT,
            edge=arguments.edge,
            token=arguments.token,
            timeout=TIMEOUT_SECONDS if arguments.timeout is None else arguments.timeout,
        ),
    )


def order_call(arguments: argparse.Namespace, printer: Printer) -> int:
    """Have an agent call somebody; returns the exit status. Raises ``ValueError`` and
    ``CallerError``."""
    return asyncio.run(_order(order_options(arguments, os.environ), printer))


async def _order(options: OrderOptions, printer: Printer) -> int:
    async with aiohttp.ClientSession() as http:
        desk = HttpDesk(http, options.call.control_plane, options.call.key)
        call = OrderedCaller(options, desk, on_record=printer.show)
        with interrupting(call.stop):
            ended = await call.run()
    return ended.exit_status


async def _call(options: PhoneOptions, script: Script, voice: str | None, printer: Printer) -> int:
    async with utterances(voice) as words:
        if words.synthesiser.note is not None and script.speaks:
            printer.show(Note(0.0, words.synthesiser.note))
        call = PhoneCaller(options, words, on_record=printer.show)
        with interrupting(call.stop):
            ended = await call.run(script)
    return ended.exit_status


@contextmanager
def interrupting(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls ``stop`` inside the block."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
