"""`slimline show`: the leaderboard of a run."""

import json

from tests.pipelines.cli.command_line import slimline


def test_a_run_is_shown(ran):
    folder, done = ran
    document = json.loads(done.stdout)
    text = slimline("show", document["run"], "--store", "st", cwd=folder, check=0).stdout
    assert f"winner: {document['winner'] or document['reason']}" in text
    for variant in document["variants"]:
        assert variant["name"] in text


def test_of_a_misspelt_run_the_nearest_is_named(ran):
    folder, done = ran
    run = json.loads(done.stdout)["run"]
    shown = slimline("show", run[:-1], "--store", "st", cwd=folder, check=2)
    assert f"did you mean '{run}'?" in shown.stderr
