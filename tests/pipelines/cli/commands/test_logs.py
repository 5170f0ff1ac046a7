"""`slimline logs`: what a step printed."""

import json

from tests.pipelines.cli.command_line import slimline


def test_the_log_of_a_step(ran):
    folder, done = ran
    run = json.loads(done.stdout)["run"]
    slimline("logs", run, "train", "--store", "st", cwd=folder, check=0)
    failed = slimline("logs", run, "trian", "--store", "st", cwd=folder, check=2)
    assert "did you mean 'train'?" in failed.stderr
