-- The questions that are asked most: what is down now, the newest incidents and spikes, whether anybody listened.

CREATE INDEX incident_by_start ON incident (from_second DESC, id);
CREATE INDEX incident_by_service ON incident (service, from_second DESC, id);
-- What lasts has no end: it comes last.
CREATE INDEX incident_by_end ON incident (coalesce(until_second, 9223372036854775807), from_second);
CREATE INDEX incident_open ON incident (from_second DESC, id)
    WHERE body ->> 'state' <> 'resolved' AND body ->> 'retracted_at' IS NULL;
CREATE INDEX spike_by_start ON spike (from_minute DESC, service, region);
CREATE INDEX listening_by_end ON listening (until_second);
