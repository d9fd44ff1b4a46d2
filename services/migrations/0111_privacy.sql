-- What happened to a person, for their export: few rows, so that a payment's events cost no more.
CREATE INDEX events_of_person ON events (object_id, id) WHERE type LIKE 'person.%';

-- For erasure: what the person called it.
GRANT UPDATE (name) ON devices TO florin_api;
