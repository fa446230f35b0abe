"""Two legs that talk to each other over loopback."""

from __future__ import annotations

import pytest

from edge.transport.rtp.codec import CodecName
from edge.transport.sip.media.agreement import MediaPolicy
from tests.edge.media.tones import loudness, pitch
from tests.edge.transport.sip.media.parts import world

CODECS: tuple[CodecName, ...] = ("pcmu", "pcma", "g722", "opus")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("srtp", ["off", "required"])
@pytest.mark.parametrize("codec", CODECS)
async def test_each_side_hears_what_the_other_says(codec: CodecName, srtp: str, host: str) -> None:
    async with world(host) as net:
        policy = MediaPolicy(codecs=(codec,), srtp=srtp)  # type: ignore[arg-type]
        called, caller = net.call(policy, policy)
        called.say(440, 1.0)
        caller.say(700, 1.0)
        net.run(1.0)
        assert called.leg.encrypted == (srtp == "required")
        assert len(called.frames) >= 48 and len(caller.frames) >= 48
        assert pitch(called.heard(0.8), 16_000) == pytest.approx(700, abs=3)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)
        assert loudness(called.heard(0.8)) == pytest.approx(9000 / 2**0.5, rel=0.15)
        assert called.leg.counts.lost == called.leg.counts.refused == 0
        assert called.leg.band == ("narrow" if codec in ("pcmu", "pcma") else "wide")
