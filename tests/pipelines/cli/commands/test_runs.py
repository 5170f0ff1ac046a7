"""`slimline runs`: all runs of a store."""

import json

from tests.pipelines.cli.command_line import slimline


def test_all_runs_are_listed(ran):
    folder, done = ran
    run = json.loads(done.stdout)["run"]
    assert run in slimline("runs", "--store", "st", cwd=folder, check=0).stdout
    listed = json.loads(slimline("runs", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert run in [item["run"] for item in listed["runs"]]
