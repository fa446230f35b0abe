"""Addresses are checked before anything starts."""

from __future__ import annotations

import socket

import pytest

from inland.demo.ports import HOST, PortBusy, check_ports, free_ports


def test_free_ports_are_different_and_can_be_listened_on() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    check_ports({f"port {port}": port for port in ports})


def test_free_ports_are_none_that_a_kernel_gives_to_whoever_asks_for_any() -> None:
    assert max(free_ports(200)) < 32_768, "where Linux begins (ip_local_port_range)"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_ports_that_somebody_has_are_not_free(
    kind: socket.SocketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr("inland.demo.ports.CHOSEN", range(port, port + 1))
    assert free_ports(1) == [port]
    with socket.socket(type=kind) as holder:
        holder.bind((HOST, port))
        with pytest.raises(PortBusy, match=f"no 1 free ports of {port} to {port}"):
            free_ports(1)


def test_busy_port_is_named_with_what_it_was_meant_for_and_the_way_out() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortBusy) as refused:
            check_ports({"the page": port})
    words = str(refused.value)
    assert f"{HOST}:{port}" in words
    assert "the page" in words
    assert "--port" in words and "--free-ports" in words


def test_port_that_no_machine_has_is_refused_in_the_same_words() -> None:
    with pytest.raises(PortBusy, match="the page"):
        check_ports({"the page": 70_000})


def test_port_that_was_just_given_back_can_be_taken_again() -> None:
    """Connections in TIME_WAIT must not keep a demo from being started again at once."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect((HOST, port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first waits
    check_ports({"the page": port})
