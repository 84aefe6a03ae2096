-- The first schema: mentions as the log that everything is rebuilt from, the counts made of them, what was detected, and what may be quoted.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One post about one service, without its words or its author's name. Kept for 7 days: it is also how a post is known to have been counted.
CREATE TABLE mention (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, since a snapshot names the last that it knows
    clock INTEGER NOT NULL,      -- the last closed minute when it was accepted
    post BLOB NOT NULL,          -- hash of the post's source and id
    at INTEGER NOT NULL,         -- milliseconds since 1970
    minute INTEGER NOT NULL,     -- minutes since 1970
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    region TEXT NOT NULL,        -- the smallest region known
    tally TEXT NOT NULL,
    symptoms TEXT NOT NULL,      -- separated by blanks
    surfaces TEXT NOT NULL,
    stage TEXT,
    author INTEGER NOT NULL,     -- keyed hash
    print INTEGER NOT NULL,      -- keyed hash
    quotable INTEGER NOT NULL,
    UNIQUE (post, service)
) STRICT;
CREATE INDEX mention_by_minute ON mention (service, minute);

-- Posts that their authors took back: only their hash, so that a re-read does not bring them back.
CREATE TABLE tombstone (
    post BLOB PRIMARY KEY,
    minute INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What may be quoted. The text goes after its retention time, the row when nothing quotes it.
CREATE TABLE quote (
    post BLOB PRIMARY KEY,
    minute INTEGER NOT NULL,
    source TEXT NOT NULL,
    reference TEXT NOT NULL,     -- the link, or the id of a post without one
    text TEXT,
    lang TEXT,
    evidence INTEGER NOT NULL DEFAULT 0 -- 1 once an incident names it
) STRICT, WITHOUT ROWID;
CREATE INDEX quote_by_minute ON quote (minute);

-- The windowed counter: one minute of one kind of post about a service, in a region and all its parts, on a source.
CREATE TABLE bucket (
    service TEXT NOT NULL,
    region TEXT NOT NULL,
    source TEXT NOT NULL,
    tally TEXT NOT NULL,
    minute INTEGER NOT NULL,
    posts INTEGER NOT NULL,
    authors INTEGER NOT NULL,    -- distinct people
    PRIMARY KEY (service, region, tally, minute, source)
) STRICT, WITHOUT ROWID;

-- When an instance of a source was listened to, or was lost.
CREATE TABLE listening (
    network TEXT NOT NULL,
    instance TEXT NOT NULL,
    heard INTEGER NOT NULL,      -- 1 heard, 0 lost
    from_second INTEGER NOT NULL,
    until_second INTEGER NOT NULL,
    why TEXT,
    PRIMARY KEY (instance, heard, from_second)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_state (
    instance TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    cursor TEXT,
    posts INTEGER NOT NULL,
    health TEXT NOT NULL         -- JSON
) STRICT, WITHOUT ROWID;

-- How many reports a minute were expected in a region, from a minute on until the next row.
CREATE TABLE expected (
    service TEXT NOT NULL,
    region TEXT NOT NULL,
    minute INTEGER NOT NULL,
    mean REAL NOT NULL,
    dispersion REAL NOT NULL,
    PRIMARY KEY (service, region, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE spike (
    service TEXT NOT NULL,
    region TEXT NOT NULL,
    from_minute INTEGER NOT NULL,
    until_minute INTEGER NOT NULL,
    observed INTEGER NOT NULL,
    expected REAL NOT NULL,
    score REAL NOT NULL,
    incident TEXT,
    PRIMARY KEY (service, region, from_minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX spike_by_time ON spike (until_minute);

CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    from_second INTEGER NOT NULL, -- the earliest it may have begun
    until_second INTEGER,         -- the latest it may have ended
    body TEXT NOT NULL            -- JSON; evidence as hashes of posts
) STRICT, WITHOUT ROWID;

-- The state of the fold after the mention `seq` and the minute `clock`. One row.
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
