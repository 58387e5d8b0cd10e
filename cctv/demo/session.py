"""One client that is set up or playing: its tracks, their numbers, and the sending of what is due.
It writes whole units to a transport and never waits; a client that reads too slowly is cut off."""

from __future__ import annotations

import math
import random
import secrets
import time
from asyncio import Transport
from typing import TYPE_CHECKING

from cctv.demo.profiles import Variant
from cctv.demo.rtp import Loop, Track, sender_report

if TYPE_CHECKING:
    from cctv.demo.camera import Camera

REPORT_SECONDS = 5.0  # RFC 3550 6.2 recommends this minimum
RESYNC_SECONDS = 1.0  # a feed that is later than this skips to now, as after a stopped process
VIDEO, AUDIO = 0, 1  # track numbers in the session description


class Session:
    """The state that SETUP made (RFC 2326 10.4)."""

    def __init__(
        self, camera: Camera, loop: Loop, *, variant: Variant, transport: Transport, max_queue_bytes: int
    ) -> None:
        self.key = secrets.token_hex(4).upper()
        self.camera = camera
        self.loop = loop
        self.variant = variant
        self.transport = transport
        self.max_queue_bytes = max_queue_bytes
        self.feeds: dict[int, Feed] = {}
        self.is_playing = False
        self.is_hung = False

    def add_track(self, number: int, channel: int) -> Feed:
        self.feeds[number] = Feed(self, number, channel)
        return self.feeds[number]

    def track(self, number: int) -> Track | None:
        """What is played as this track now; after a switch it may be of another codec, or be missing."""
        return self.loop.video if number == VIDEO else self.loop.audio

    def switch(self, loop: Loop) -> None:
        """Continues with another loop, on the same connection and the same clock."""
        self.loop = loop
        for feed in self.feeds.values():
            feed.resync(time.time())

    def write(self, packets: bytes | bytearray) -> None:
        """Writes to the client, and cuts it off when too much waits for it."""
        counters = self.camera.counters
        self.transport.write(packets)
        queued = self.transport.get_write_buffer_size()
        if queued > counters.max_queue_bytes:
            counters.max_queue_bytes = queued
        if queued > self.max_queue_bytes:
            counters.cut_for_slowness += 1
            self.is_playing = False
            self.transport.abort()


class Feed:
    """One track on its way to one client. Unit n is due at n * unit_seconds - phase, Unix time."""

    def __init__(self, session: Session, number: int, channel: int) -> None:
        self.session = session
        self.number = number
        self.channel = channel
        self.ssrc = random.getrandbits(32)
        self.sequence = random.getrandbits(16)
        self.base = random.getrandbits(32)  # of the time stamps (RFC 3550 5.1)
        self.next_unit = 0
        self.report_at = 0.0
        self.packets = 0
        self.octets = 0
        self.is_queued = False  # in the pacer's heap

    def start(self, now: float) -> float:
        """Begins with the first unit that is due after `now` and answers when that is."""
        track = self.session.track(self.number)
        assert track is not None
        self.next_unit = self._unit_after(track, now)
        if self.number == VIDEO and self.session.variant.waits_for_key:
            while not track.units[self.next_unit % len(track.units)].is_key:
                self.next_unit += 1
        return self._due(track)

    def resync(self, now: float) -> None:
        """Goes on with the unit that is due after `now`, counted in units of the present loop."""
        if track := self.session.track(self.number):
            self.next_unit = self._unit_after(track, now)

    def next_timestamp(self) -> int:
        """The RTP time of the unit that comes next."""
        track = self.session.track(self.number)
        assert track is not None
        return self._timestamp(track, self.next_unit) & 0xFFFFFFFF

    def send_due(self, now: float) -> float | None:
        """Sends the next unit, and a sender report when it is time for one."""
        session = self.session
        track = session.track(self.number)
        if not session.is_playing:
            self.is_queued = False
            return None
        if track is None:
            return now + RESYNC_SECONDS  # the sound may come back with the next switch
        due = self._due(track)
        if now - due > RESYNC_SECONDS:
            self.next_unit = self._unit_after(track, now)
        if due > now or now - due > RESYNC_SECONDS:
            return self._due(track)
        faults = session.camera.faults
        is_silent = session.is_hung or faults.is_frozen or faults.is_stalled
        if not is_silent and not (faults.is_muted and self.number == AUDIO):
            self._send(track, now)
        self.next_unit += 1
        return self._due(track)

    def _send(self, track: Track, now: float) -> None:
        camera, unit = self.session.camera, track.units[self.next_unit % len(track.units)]
        timestamp = self._timestamp(track, self.next_unit)
        if now >= self.report_at:
            self._report(track, now)
        if self.number == VIDEO:
            if camera.faults.drop_frames > 0:
                camera.faults.drop_frames -= 1
                camera.counters.frames_dropped += 1
                self.sequence += len(unit.offsets)  # lost on the way: the receiver sees the hole
                return
            if camera.faults.garble_frames > 0:
                camera.faults.garble_frames -= 1
                unit = unit.garbled()
            self._count_frame()
        self.session.write(unit.stamped(self.sequence, timestamp, self.ssrc, channel=self.channel))
        self.sequence += len(unit.offsets)
        self.packets += len(unit.offsets)
        self.octets += unit.payload_octets

    def _count_frame(self) -> None:
        counters = self.session.camera.counters
        counters.frames_sent += 1
        counters.last_frame = self.next_unit
        if counters.first_frame is None:
            counters.first_frame = self.next_unit

    def _report(self, track: Track, now: float) -> None:
        camera = self.session.camera
        moment = (now + camera.phase + camera.clock_offset) * track.clock_hz
        self.report_at = now + REPORT_SECONDS
        self.session.write(
            sender_report(
                now + camera.clock_offset,
                self.base + int(moment),
                self.ssrc,
                packets=self.packets,
                octets=self.octets,
                channel=self.channel + 1,
            )
        )

    def _timestamp(self, track: Track, unit: int) -> int:
        return self.base + unit * track.ticks + round(self.session.camera.clock_offset * track.clock_hz)

    def _due(self, track: Track) -> float:
        return self.next_unit * track.unit_seconds - self.session.camera.phase

    def _unit_after(self, track: Track, now: float) -> int:
        return math.ceil((now + self.session.camera.phase) / track.unit_seconds)
