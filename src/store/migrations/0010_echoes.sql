-- Blame: the incident of another service that explains a spike.

ALTER TABLE spike ADD COLUMN echo_of TEXT;
