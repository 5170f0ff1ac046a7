"""Two processes that want the same keys of a store at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipelines.stores.opening import open_store
from pipelines.stores.store import Store


def race(store: Store, rounds: int, keys: int) -> list[int]:
    """Let two processes write the same keys, round by round, and count in the key ``counter``.

    Returns:
        How many keys each of the two wrote.
    """
    store.put_if_absent("counter", b"0")
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.stores.racing", store.uri, name, str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for name in ("one", "two")
    ]
    try:
        wins = [0, 0]
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        for round_ in range(rounds):
            won = [set(json.loads(answer)) for answer in _round(racers, round_)]
            assert not won[0] & won[1], "a key with two writers"
            for name, mine in zip((b"one", b"two"), won, strict=True):
                assert all(store.get(key) == name for key in mine)
            wins = [total + len(mine) for total, mine in zip(wins, won, strict=True)]
        return wins
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def _round(racers: list[subprocess.Popen[str]], round_: int) -> list[str]:
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(f"{round_}\n")
        racer.stdin.flush()
    return [racer.stdout.readline() for racer in racers if racer.stdout]


def _main(uri: str, name: str, keys: int) -> None:
    store = open_store(uri)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        mine = [
            key
            for key in (f"round-{line.strip()}/{index}" for index in range(keys))
            if store.put_if_absent(key, name.encode())
        ]
        while True:
            found = store.stat("counter")
            assert found
            more = int(store.get("counter")) + 1
            if store.replace_if_match("counter", str(more).encode(), found.version):
                break
        sys.stdout.write(json.dumps(mine) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
