-- How much each source brings and how soon, whatever it is about: what its silence can be known by.

CREATE TABLE intake (
    instance TEXT NOT NULL,
    minute INTEGER NOT NULL,     -- in which the posts were written
    posts INTEGER NOT NULL,
    PRIMARY KEY (instance, minute)
) STRICT, WITHOUT ROWID;

-- Posts that were read as they came, by their age then.
CREATE TABLE age (
    instance TEXT NOT NULL,
    hour INTEGER NOT NULL,       -- hours since 1970, of the reading
    bound INTEGER NOT NULL,      -- they were younger than so many seconds
    posts INTEGER NOT NULL,
    PRIMARY KEY (instance, hour, bound)
) STRICT, WITHOUT ROWID;
