"""Playlists say exactly what RFC 8216 and rfc8216bis ask for."""

from __future__ import annotations

import pytest

from cctv.media.playlists import Cell, Part, Variant, live, low_latency, master, recorded

T = 1_795_354_218_000


def cell(number: int, ordinal: int = 4, *, gap: bool = False, **more) -> Cell:  # type: ignore[no-untyped-def]
    map_uri = "" if gap else f"init-{ordinal}.mp4"
    return Cell(f"{number}.m4s", 1.0, T + number * 1000, ordinal, map_uri=map_uri, is_gap=gap, **more)


def test_a_live_playlist_lists_every_second() -> None:
    text = live([cell(7), cell(8, gap=True), cell(9)], sequence=1_795_354_225)
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:1",
        "#EXT-X-MEDIA-SEQUENCE:1795354225",
        "#EXT-X-DISCONTINUITY-SEQUENCE:4",
        '#EXT-X-MAP:URI="init-4.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:30:25.000Z",
        "#EXTINF:1.00000,",
        "7.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:30:26.000Z",
        "#EXTINF:1.00000,",
        "#EXT-X-GAP",
        "8.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:30:27.000Z",
        "#EXTINF:1.00000,",
        "9.m4s",
    ]


def test_a_new_run_is_a_discontinuity_with_its_own_map() -> None:
    lines = live([cell(1), cell(2, 5), cell(3, 5)], sequence=1).splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at - 1] == "1.m4s"
    assert lines[at + 1] == '#EXT-X-MAP:URI="init-5.mp4"'
    assert lines.count("#EXT-X-DISCONTINUITY") == 1


def test_the_discontinuity_sequence_grows_by_the_tags_that_leave() -> None:
    cells = [cell(1), cell(2, gap=True), cell(3, 7), cell(4, 7), cell(5, 8)]
    numbers = []
    for first in range(len(cells)):
        lines = live(cells[first:], sequence=first).splitlines()
        sequence = next(int(line.partition(":")[2]) for line in lines if "DISCONTINUITY-SEQUENCE" in line)
        numbers.append(sequence + lines.count("#EXT-X-DISCONTINUITY"))
    assert set(numbers) == {8}


def test_no_segment_is_longer_than_the_target() -> None:
    cells = [Cell("a", 2.5, T, 1), Cell("b", 1.4, T, 1)]
    assert "#EXT-X-TARGETDURATION:3" in live(cells, sequence=0)
    assert "#EXT-X-TARGETDURATION:6" in live(cells, sequence=0, target_s=6)


def test_a_low_latency_playlist_tells_parts_and_what_comes_next() -> None:
    whole = cell(1, parts=(Part("1.0", 0.2, True), Part("1.1", 0.2)))
    text = low_latency(
        [whole],
        sequence=9,
        part_target_s=0.2,
        open_parts=[Part("2.0", 0.24)],
        open_cell=cell(2),
        hint_uri="2.1",
    )
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-TARGETDURATION:1",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.72000",
        "#EXT-X-PART-INF:PART-TARGET=0.24000",
        "#EXT-X-MEDIA-SEQUENCE:9",
        "#EXT-X-DISCONTINUITY-SEQUENCE:4",
        '#EXT-X-MAP:URI="init-4.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:30:19.000Z",
        '#EXT-X-PART:DURATION=0.20000,URI="1.0",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.20000,URI="1.1"',
        "#EXTINF:1.00000,",
        "1.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:30:20.000Z",
        '#EXT-X-PART:DURATION=0.24000,URI="2.0"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="2.1"',
    ]


def test_recorded_footage_has_byte_ranges_and_an_end() -> None:
    pieces = [
        Cell("3.mp4", 4.0, T, 3, "3.mp4", 1239, byte_range=(100, 1239)),
        Cell("3.mp4", 4.0, T + 4000, 3, "3.mp4", 1239, byte_range=(200, 1339)),
        Cell("0.mp4", 2.0, T + 60_000, 90, "0.mp4", 1239, byte_range=(300, 1239)),
    ]
    text = recorded(pieces)
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert text.count('#EXT-X-MAP:URI="3.mp4",BYTERANGE="1239@0"') == 1
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert "#EXT-X-BYTERANGE:200@1339\n3.mp4" in text
    growing = recorded(pieces, is_finished=False)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in growing
    assert "ENDLIST" not in growing


def test_a_master_playlist_lists_the_qualities() -> None:
    text = master([Variant("main/live.m3u8", 4_000_000, "avc1.640028,mp4a.40.2", 1920, 1080, 25.0)])
    assert (
        '#EXT-X-STREAM-INF:BANDWIDTH=4000000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000\n'
        "main/live.m3u8\n"
    ) in text


@pytest.mark.parametrize("uri", ['a"b', "a\nb", "#EXTM3U"])
def test_an_address_cannot_break_out_of_its_line(uri: str) -> None:
    with pytest.raises(ValueError):
        live([Cell(uri, 1.0, T, 1)], sequence=0)
