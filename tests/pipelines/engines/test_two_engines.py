"""Two engines that want the same step at the same time: one runs it, both end with its result."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipelines.runs.cache import Cache
from pipelines.stores.opening import open_store
from tests.pipelines.engines.machine.test_kill import write_data


@pytest.mark.parametrize("rounds", [8, pytest.param(20, marks=pytest.mark.slow)])
def test_rounds_of_two_engines_with_caches_of_their_own(store_uri, tmp_path, capsys, rounds):
    uri, data = store_uri("raced"), write_data(tmp_path)
    names = ("one", "two")
    command = [sys.executable, "-m", "tests.pipelines.engines.racing", uri, str(data)]
    engines = [
        subprocess.Popen(
            [*command, str(tmp_path / name)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    counted = Counter()
    try:
        assert [engine.stdout.readline() for engine in engines] == ["ready\n"] * 2
        for round_ in range(rounds):
            for engine in engines:
                engine.stdin.write(f"{round_}\n")
                engine.stdin.flush()
            one, two = (json.loads(engine.stdout.readline()) for engine in engines)
            assert one[:3] == two[:3], "one key, one result, and one record of how it came to be"
            key, outputs, record, _ = one
            cache = Cache(open_store(uri, cache=tmp_path / "third"), tmp_path / "scratch")
            found = cache.lookup(key)
            assert (found.outputs, found.record) == (outputs, record)
            assert cache.store.stat(record)
            counted[record.split("/")[1].split("-")[0]] += 1
            assert one[3] != two[3], "one of them ran it, and the other took its result"
    finally:
        for engine in engines:
            engine.kill()
            engine.communicate()
    with capsys.disabled():
        print(f"\n{rounds} rounds, whose result counted: {dict(counted)}")
    assert counted["one"] + counted["two"] == rounds
