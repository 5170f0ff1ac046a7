"""One holder at a time, whatever happens to the one that holds it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.stores.leases import Leases
from pipelines.stores.opening import open_store

KEY = "claims/k.json"
LENGTH_S = 1.0


class Other:
    """Another process, which does with the lease what it is told."""

    def __init__(self, uri, length_s=LENGTH_S):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.stores.leasing", uri, KEY, str(length_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def leases_of(uri, length_s=LENGTH_S):
    leases = Leases(open_store(uri), length_s)
    try:
        yield leases
    finally:
        leases.close()


def wait_until_free(leases, at_most_s=30.0):
    began = time.monotonic()
    while not leases.look([KEY])[0].free:
        assert time.monotonic() - began < at_most_s
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_living_holder_keeps_it_and_gives_it_back_without_litter(store_uri):
    uri = store_uri("s")
    with Other(uri) as other, leases_of(uri) as leases:
        assert other("take") == "1"
        until = time.monotonic() + 3 * LENGTH_S
        while time.monotonic() < until:
            assert leases.take(KEY, {}) is None
            (standing,) = leases.look([KEY])
            assert standing.holder.about == {"engine": "other"}
            assert standing.holder.process.pid == other.process.pid
            assert standing.holder.process.host == socket.gethostname()
            time.sleep(0.05)
        assert standing.holder.counter >= 4, "nobody renewed it"
        other("release")
        assert list(open_store(uri).list("")) == []
        assert leases.take(KEY, {}).epoch == 1


def test_the_lease_of_a_killed_process_of_this_machine_ends_at_once(store_uri):
    uri = store_uri("s")
    with Other(uri, 600.0) as other, leases_of(uri) as leases:
        other("take")
        assert leases.take(KEY, {}) is None
        other.kill()
        other.process.wait()
        assert leases.take(KEY, {}).epoch == 2


def test_the_lease_of_a_machine_that_is_gone_ends_when_its_counter_stood_still(store_uri):
    """Nothing here can ask whether a process of another machine lives."""
    uri = store_uri("s")
    with Other(uri) as other, leases_of(uri) as leases:
        other("take")
        other.kill()
        other.process.wait()
        store = open_store(uri)
        value = json.loads(store.get(KEY))
        value["process"]["kernel"] = "another machine's"
        assert store.replace_if_match(KEY, json.dumps(value).encode(), store.stat(KEY).version)
        assert LENGTH_S <= wait_until_free(leases) < 3 * LENGTH_S
        assert leases.take(KEY, {}).epoch == 2


def test_a_stopped_holder_is_fenced_when_it_continues(store_uri):
    uri = store_uri("s")
    with Other(uri) as other, leases_of(uri) as leases:
        other("take")
        other.kill(signal.SIGSTOP)
        assert leases.take(KEY, {}) is None
        wait_until_free(leases)
        lease = leases.take(KEY, {})
        assert lease.epoch == 2
        other.kill(signal.SIGCONT)
        assert other("held") == "False"
        assert other("regain") == "False"
        other("release")
        assert lease.held(), "the one that lost it has removed another one's"
        lease.release()
        assert list(open_store(uri).list("")) == []


def test_a_stopped_holder_takes_it_again_when_nobody_wants_it_any_more(store_uri):
    uri = store_uri("s")
    with Other(uri) as other, leases_of(uri) as leases:
        other("take")
        other.kill(signal.SIGSTOP)
        wait_until_free(leases)
        leases.take(KEY, {}).release()
        other.kill(signal.SIGCONT)
        assert other("held") == "False"
        assert other("regain") == "True"
        assert leases.take(KEY, {}) is None


def test_whoever_looks_may_be_stopped_too(store_uri):
    """Its clock ran on meanwhile, but so did the counter."""
    uri = store_uri("s")
    with Other(uri) as waiting, leases_of(uri) as leases:
        lease = leases.take(KEY, {})
        assert waiting("take") == "None"
        waiting.kill(signal.SIGSTOP)
        time.sleep(3 * LENGTH_S)
        waiting.kill(signal.SIGCONT)
        assert waiting("take") == "None"
        assert lease.held()


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"[]", b'{"length_s": 1e308}', b"\xff" * 300], ids=range(5)
)
def test_a_damaged_value_is_nobodys_and_ends_in_its_time(tmp_path, damaged):
    store = open_store(str(tmp_path))
    store.put_if_absent(KEY, damaged)
    with leases_of(str(tmp_path), 0.2) as leases:
        assert leases.take(KEY, {}) is None
        assert 0.1 < wait_until_free(leases) < 10
        assert leases.take(KEY, {}).epoch == 1


def test_one_of_many_that_find_it_ended_takes_it(store_uri):
    uri = store_uri("s")
    with Other(uri, 600.0) as dead, contextlib.ExitStack() as stack:
        dead("take")
        dead.kill()
        dead.process.wait()
        many = [stack.enter_context(leases_of(uri, 60.0)) for _ in range(8)]
        barrier, taken = threading.Barrier(len(many)), []

        def take(leases):
            barrier.wait()
            taken.append(leases.take(KEY, {}))

        threads = [threading.Thread(target=take, args=(leases,)) for leases in many]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (won,) = [lease for lease in taken if lease]
        assert won.epoch == 2
        assert won.held()


def test_what_dead_holders_left_is_swept_and_what_living_ones_hold_is_not(store_uri):
    uri = store_uri("s")
    with Other(uri, 600.0) as dead, leases_of(uri) as living, leases_of(uri) as leases:
        dead("take")
        dead.kill()
        dead.process.wait()
        lease = living.take("claims/living.json", {})
        leases.sweep("claims/")
        assert list(open_store(uri).list("claims/")) == ["claims/living.json"]
        assert lease.held()


def test_a_store_that_fails_for_a_while_costs_nothing(store_uri, tmp_path):
    """Who cannot renew holds on: it may be that nobody else reaches the store either."""
    uri = store_uri("s")
    if "://" in uri:
        pytest.skip("a folder can be taken away and brought back")
    with leases_of(uri) as leases:
        lease = leases.take(KEY, {})
        folder = Path(uri)
        folder.rename(tmp_path / "away")
        time.sleep(LENGTH_S)
        (tmp_path / "away").rename(folder)
        assert lease.held()
        time.sleep(LENGTH_S / 2)
        assert json.loads(open_store(uri).get(KEY))["counter"] > 0
