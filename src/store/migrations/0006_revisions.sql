-- Which incidents have changed since a listener last heard: a number that rises with every change of any incident.

ALTER TABLE incident ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE INDEX incident_by_revision ON incident (revision);
