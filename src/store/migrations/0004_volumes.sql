-- Counts of posts that match a query, told by a network without the posts: never added to those of posts that were read.

CREATE TABLE volume (
    source TEXT NOT NULL,
    service TEXT NOT NULL,       -- that the query asks for
    query TEXT NOT NULL,
    minute INTEGER NOT NULL,     -- minutes since 1970
    posts INTEGER NOT NULL,      -- as told last
    PRIMARY KEY (service, source, query, minute)
) STRICT, WITHOUT ROWID;
