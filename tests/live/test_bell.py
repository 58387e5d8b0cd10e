"""Waking many threads one after another: nobody is forgotten, and nobody stops the row."""

from __future__ import annotations

import threading
import time

from cctv.live.bell import Bell
from tests.waiting import wait_until


def sleepers(bell: Bell, count: int, woken: list[float], *, timeout_seconds: float) -> list[threading.Thread]:
    def sleep() -> None:
        bell.sleep(lambda: False, timeout_seconds)
        woken.append(time.monotonic())

    threads = [threading.Thread(target=sleep) for _ in range(count)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(bell._asleep) == count, 5, "all to sleep")
    return threads


def test_one_ring_wakes_everybody() -> None:
    bell, woken = Bell(), list[float]()
    threads = sleepers(bell, 100, woken, timeout_seconds=20)
    rang_at = time.monotonic()
    bell.ring()
    for thread in threads:
        thread.join(5)
    assert len(woken) == 100
    assert max(woken) - rang_at < 1


def test_who_waits_no_longer_does_not_stop_the_row() -> None:
    bell, woken = Bell(), list[float]()
    impatient = sleepers(bell, 30, woken, timeout_seconds=0.3)
    patient = [threading.Thread(target=bell.sleep, args=(lambda: False, 20)) for _ in range(30)]
    for thread in patient:
        thread.start()
    for thread in impatient:
        thread.join(5)
    bell.ring()
    for thread in patient:
        thread.join(5)
    assert not any(thread.is_alive() for thread in patient)


def test_ringing_while_a_row_is_being_woken_wakes_the_new_ones_too() -> None:
    bell, stop = Bell(), threading.Event()
    rounds = [0] * 20

    def viewer(index: int) -> None:
        while not stop.is_set():
            bell.sleep(stop.is_set, 5)
            rounds[index] += 1

    threads = [threading.Thread(target=viewer, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        bell.ring()
        time.sleep(0.005)
    stop.set()
    bell.ring()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads), "nobody sleeps past a ring"
    assert min(rounds) > 10


def test_it_does_not_sleep_when_there_is_something_already() -> None:
    began = time.monotonic()
    Bell().sleep(lambda: True, 5)
    assert time.monotonic() - began < 1
