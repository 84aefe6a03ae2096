-- The outbox of alerts: written with the change that they tell of, kept as what a receiver was told.

CREATE TABLE alert (
    receiver TEXT NOT NULL,      -- as the configuration names it
    incident TEXT NOT NULL,
    number INTEGER NOT NULL,     -- from 1 for each incident and receiver
    due INTEGER NOT NULL,        -- second since 1970 before which it is not sent, and may still be replaced
    sent INTEGER,                -- when it was delivered, or given up with an error
    tries INTEGER NOT NULL,      -- failed ones
    error TEXT,
    handle TEXT,                 -- what the receiver calls the message, where it can be edited
    body TEXT NOT NULL,          -- JSON
    PRIMARY KEY (receiver, incident, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_unsent ON alert (receiver, due) WHERE sent IS NULL;
