"""The tables of the index. Digests are 32 bytes; records, runs and steps go by their names.

Every row says what a value of the store says, or follows from such rows; so the tables do not
depend on the order in which values were read.
"""

from __future__ import annotations

VERSION = 5
"""Raised with every change of the tables or of what is written into them: an index of another
version is made anew."""

APPLICATION = 0x534C494D
"""What tells an index from other databases: "SLIM"."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- whole: its run.json has been read, and nothing of it changes any more. stale: what its releases
-- were made of has to be worked out (1), or was with a record missing, so again with any news (2).
CREATE TABLE run (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, name TEXT NOT NULL, started TEXT NOT NULL,
    finished TEXT, outcome TEXT NOT NULL, engine TEXT NOT NULL, actor TEXT NOT NULL,
    config TEXT NOT NULL, graph TEXT NOT NULL, trigger TEXT, wall_s REAL NOT NULL, fault TEXT,
    whole INTEGER NOT NULL, stale INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX run_started ON run (started, run);
CREATE INDEX run_name ON run (name, started);
CREATE INDEX run_stale ON run (stale) WHERE stale;
CREATE INDEX run_open ON run (id) WHERE NOT whole;
CREATE TABLE run_source (
    run INTEGER NOT NULL, name TEXT NOT NULL, source INTEGER NOT NULL, PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE INDEX run_source_source ON run_source (source);

-- record: its key in the store, which names run, step and attempt. version: of the record; NULL
-- where only others name it, so far.
CREATE TABLE execution (
    id INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE, component TEXT, engine TEXT, key BLOB,
    code BLOB, environment BLOB, outcome TEXT, started TEXT, finished TEXT, wall_s REAL,
    version INTEGER
);
CREATE INDEX execution_unread ON execution (id) WHERE version IS NULL;
CREATE TABLE run_step (
    run INTEGER NOT NULL, step TEXT NOT NULL, execution INTEGER, state TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE INDEX run_step_execution ON run_step (execution, run);

-- kind: by the ports that it comes out of or goes into, the first by name where they differ (the
-- empty result). bytes: NULL where no record says it.
CREATE TABLE artifact (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, bytes INTEGER
);
CREATE TABLE made (
    artifact INTEGER NOT NULL, execution INTEGER NOT NULL, port TEXT NOT NULL,
    PRIMARY KEY (artifact, execution, port)
) WITHOUT ROWID;
CREATE INDEX made_execution ON made (execution);
CREATE TABLE used (
    execution INTEGER NOT NULL, port TEXT NOT NULL, n INTEGER NOT NULL, artifact INTEGER NOT NULL,
    PRIMARY KEY (execution, port, n)
) WITHOUT ROWID;
CREATE INDEX used_artifact ON used (artifact, execution);
CREATE TABLE file (
    sha BLOB NOT NULL, artifact INTEGER NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (artifact, path, sha)
) WITHOUT ROWID;

-- Whose files are listed in its tree alone, by records of version 1.
CREATE TABLE listing (artifact INTEGER PRIMARY KEY, state TEXT);
CREATE INDEX listing_lost ON listing (artifact) WHERE state != 'read';

-- A source has the id of its artifact. state of what lies in values of their own: NULL not looked
-- for yet, else read, absent (an earlier version kept none), elsewhere (in a cluster's bucket),
-- erased (there is a tombstone), missing or damaged (there is a problem).
CREATE TABLE source (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, format TEXT, expected INTEGER NOT NULL,
    state TEXT
);
-- files, bytes: how many files are listed in it, and how long they are together.
CREATE TABLE page (
    id INTEGER PRIMARY KEY, sha BLOB NOT NULL UNIQUE, state TEXT, files INTEGER, bytes INTEGER
);
-- Blobs and trees that rows of these owners were read from: a page, or the artifact of a manifest,
-- a decision, a release or a listing.
CREATE TABLE read_from (
    digest BLOB NOT NULL, what TEXT NOT NULL, owner INTEGER NOT NULL,
    PRIMARY KEY (digest, what, owner)
) WITHOUT ROWID;
CREATE TABLE source_page (
    source INTEGER NOT NULL, n INTEGER NOT NULL, page INTEGER NOT NULL, PRIMARY KEY (source, n)
) WITHOUT ROWID;
CREATE INDEX page_lost ON page (id) WHERE state != 'read';
CREATE INDEX source_page_page ON source_page (page, source);
CREATE TABLE page_file (
    page INTEGER NOT NULL, name TEXT NOT NULL, sha BLOB, bytes INTEGER, PRIMARY KEY (page, name)
) WITHOUT ROWID;

-- dataset in fate, images, records, manifest and release_dataset: the id of the artifact.
CREATE TABLE dataset (
    artifact INTEGER NOT NULL, execution INTEGER NOT NULL, source INTEGER,
    PRIMARY KEY (artifact, execution)
) WITHOUT ROWID;
CREATE INDEX dataset_source ON dataset (source);
CREATE TABLE decoding (execution INTEGER PRIMARY KEY, settings TEXT NOT NULL);
-- pixels: whether the lines say what images show; those of earlier versions do not.
CREATE TABLE manifest (dataset INTEGER PRIMARY KEY, state TEXT, pixels INTEGER);
CREATE INDEX manifest_lost ON manifest (dataset) WHERE state != 'read';
-- place: the row of an image among those of its split; NULL of the sealed ones.
CREATE TABLE fate (
    dataset INTEGER NOT NULL, name TEXT NOT NULL, sha BLOB, pixels BLOB, label TEXT, split TEXT,
    status TEXT NOT NULL, duplicate_of TEXT, place INTEGER, PRIMARY KEY (dataset, name)
) WITHOUT ROWID;
CREATE INDEX fate_duplicate ON fate (dataset, duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX fate_place ON fate (dataset, split, place) WHERE place IS NOT NULL;
-- How many images of a dataset, single ones and records, became what; split '' is none.
CREATE TABLE images (
    dataset INTEGER NOT NULL, split TEXT NOT NULL, status TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (dataset, split, status)
) WITHOUT ROWID;
-- Files of records: how many of their records became what. Those records have no sha in fate.
CREATE TABLE records (
    dataset INTEGER NOT NULL, name TEXT NOT NULL, sha BLOB NOT NULL, split TEXT NOT NULL,
    status TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (dataset, name, split, status)
) WITHOUT ROWID;
CREATE INDEX records_sha ON records (sha);
CREATE TABLE label (label TEXT PRIMARY KEY, identity BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX label_identity ON label (identity);

CREATE TABLE release (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, run TEXT NOT NULL, artifact INTEGER NOT NULL,
    at TEXT NOT NULL, state TEXT, UNIQUE (name, run)
);
-- What the manifest of a release says: qualified, or that it is the empty one.
CREATE TABLE worth (artifact INTEGER PRIMARY KEY, state TEXT, qualified INTEGER, empty INTEGER);
CREATE INDEX worth_lost ON worth (artifact) WHERE state != 'read';
CREATE INDEX release_artifact ON release (artifact);
CREATE INDEX release_run ON release (run);
CREATE TABLE release_dataset (
    release INTEGER NOT NULL, dataset INTEGER NOT NULL, PRIMARY KEY (release, dataset)
) WITHOUT ROWID;
CREATE INDEX release_dataset_dataset ON release_dataset (dataset, release);
CREATE TABLE release_source (
    release INTEGER NOT NULL, source INTEGER NOT NULL, port TEXT NOT NULL,
    PRIMARY KEY (release, source, port)
) WITHOUT ROWID;
CREATE INDEX release_source_source ON release_source (source, release);
CREATE TABLE release_log (
    name TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, release BLOB NOT NULL,
    run TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (name, seq)
) WITHOUT ROWID;

CREATE TABLE choice (run INTEGER PRIMARY KEY, artifact INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX choice_artifact ON choice (artifact);
CREATE TABLE decision (
    artifact INTEGER PRIMARY KEY, state TEXT, winner TEXT, bytes INTEGER
);
CREATE INDEX decision_lost ON decision (artifact) WHERE state != 'read';
CREATE TABLE metric (
    decision INTEGER NOT NULL, variant TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
    value REAL, low REAL, high REAL, PRIMARY KEY (decision, variant, device, name)
) WITHOUT ROWID;
-- facts: the fingerprint of the device, canonical JSON.
CREATE TABLE machine (
    decision INTEGER NOT NULL, device TEXT NOT NULL, facts TEXT NOT NULL, runtime TEXT NOT NULL,
    threads INTEGER NOT NULL, processes INTEGER NOT NULL, inferences INTEGER NOT NULL,
    PRIMARY KEY (decision, device)
) WITHOUT ROWID;

CREATE TABLE problem (key TEXT PRIMARY KEY, what TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tombstone (
    digest BLOB PRIMARY KEY, why TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
"""

INDEXES = """
CREATE INDEX IF NOT EXISTS execution_key ON execution (key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS file_sha ON file (sha);
CREATE INDEX IF NOT EXISTS page_file_sha ON page_file (sha) WHERE sha IS NOT NULL;
CREATE INDEX IF NOT EXISTS fate_sha ON fate (sha) WHERE sha IS NOT NULL;
CREATE INDEX IF NOT EXISTS fate_pixels ON fate (pixels) WHERE pixels IS NOT NULL;
CREATE INDEX IF NOT EXISTS fate_label ON fate (label) WHERE label IS NOT NULL;
"""
"""Indexes that only questions use. Digests come in no order, so each row that is written changes
another page of each of these: an index that is made anew gets them when all rows are there."""
