"""What an answer, or none, says about a trunk or a registration, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.transport.sip.net.errors import ReachCode


@dataclass(frozen=True, slots=True)
class Verdict:
    """``words`` say what is, ``cure`` what to do; the cure is empty when nothing is to be done."""

    fine: bool
    words: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.words}: {self.cure}" if self.cure else self.words


CURES: dict[ReachCode, str] = {
    "no_such_name": "check the host's spelling in 'address' or 'registrar'",
    "dns_failed": "check this machine's DNS (/etc/resolv.conf) and its network",
    "no_socket": "add an address of that family and transport to 'sip.listen'",
    "refused": "nothing listens there: check port and ;transport= of the address",
    "timeout": "check port and ;transport=, and that firewalls let this machine out to it",
    "no_route": "check the network, and that 'sip.listen' has an address that can reach it",
    "certificate": "check the host's spelling, or name its authority in 'tls.ca', or the "
    "certificate itself in 'tls.fingerprint'",
    "tls_failed": "check that this port speaks TLS (5061 as a rule), and whether it asks for a "
    "certificate of ours ('tls.certificate')",
    "full": "try again",
}


def unreachable(code: ReachCode, detail: str) -> Verdict:
    """The message could not be sent."""
    return Verdict(False, detail, CURES[code])


def unanswered(seconds: float, transport: str) -> Verdict:
    """The message was sent, and nothing came back."""
    port = "that the port speaks TLS" if transport == "tls" else "address and port"
    firewall = "UDP through both ways" if transport == "udp" else "this machine out"
    return Verdict(
        False,
        f"no answer in {seconds:g} s",
        f"check {port}, that firewalls let {firewall}, and that the far end knows this machine's "
        "public address",
    )


def answered(status: int, *, has_password: bool) -> Verdict:
    """What an answer to OPTIONS says about a trunk. The last one: a challenge was answered."""
    if 200 <= status < 300:
        return Verdict(True, "it is there")
    if status in (401, 407):
        if has_password:
            return Verdict(
                False,
                "it is there, but does not accept the username or password",
                "check 'username' and the password of the trunk",
            )
        return Verdict(True, "it is there, and asks for a password, which calls may need as well")
    if status == 403:
        return Verdict(
            False,
            "it is there, but refuses us",
            "have it allow this machine's public address, or set 'username' and a password",
        )
    if status in (408, 480, 503, 504):
        return Verdict(
            False, "somebody is there who takes no calls now", "try later, or ask who runs it"
        )
    return Verdict(True, "it is there, and has no answer to OPTIONS, which does no harm")


def registered(seconds: float, *, taken_back: bool) -> Verdict:
    """The registrar accepted."""
    if taken_back:
        return Verdict(True, f"registered for {seconds:.0f} s, and taken back")
    return Verdict(
        True, f"registered for {seconds:.0f} s; taking it back was not confirmed, it ends by itself"
    )


def not_registered(status: int) -> Verdict:
    """What a registrar's refusal says."""
    if status in (401, 407):
        return Verdict(
            False,
            "the username or password is not accepted",
            "check 'username', 'auth_username' and the password",
        )
    if status == 403:
        return Verdict(
            False,
            "the registrar refuses this user",
            "check 'username' and the password, and that the extension may register from here",
        )
    if status == 404:
        return Verdict(
            False,
            "the registrar does not know this user",
            "check 'username', and that 'registrar' is the domain that the extension belongs to",
        )
    if status == 423:
        return Verdict(False, "the registrar wants longer intervals", "raise 'expires'")
    if status in (405, 501):
        return Verdict(
            False, "this is no registrar", "check 'registrar': a trunk without REGISTER needs none"
        )
    return Verdict(False, "the registrar refuses", "ask who runs it what this answer means")
