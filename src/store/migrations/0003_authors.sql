-- Where authors are whose profiles were looked up, so that nobody is asked about twice a week.

CREATE TABLE author (
    author INTEGER PRIMARY KEY,  -- keyed hash
    region TEXT NOT NULL,        -- 'world' where the profile says none
    minute INTEGER NOT NULL      -- when that was learnt
) STRICT;
