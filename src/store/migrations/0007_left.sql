-- Whose words a quote holds, so that they go when the whole account does.

ALTER TABLE quote ADD COLUMN author INTEGER; -- keyed hash; unknown of quotes that are older than this
CREATE INDEX quote_by_author ON quote (author);
