-- Copies of posts that a bridge carried to another network, so that a deletion of the copy takes the words of the post.

CREATE TABLE copy (
    copy BLOB PRIMARY KEY,       -- hash of the copy's source and id
    post BLOB NOT NULL,          -- that of the post
    minute INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
