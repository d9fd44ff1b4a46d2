-- How often a worker began a step and never ended it, and how often in a row the bank was not
-- reached: in the database, because neither may be forgotten by a process that dies.
ALTER TABLE instructions ADD COLUMN attempts int NOT NULL DEFAULT 0;
ALTER TABLE instructions ADD COLUMN failures int NOT NULL DEFAULT 0;
-- The bank's cut-off counts from the last time that it was told.
ALTER TABLE instructions ADD COLUMN last_sent_at timestamptz;
UPDATE instructions SET last_sent_at = sent_at;
CREATE INDEX ON instructions (state, id);

-- What happened to each instruction, as it happened: what an operator decides by.
CREATE TABLE instruction_steps (
    id             uuid PRIMARY KEY,
    instruction_id uuid NOT NULL REFERENCES instructions,
    at             timestamptz NOT NULL,
    event          text NOT NULL,
    from_state     text NOT NULL,
    to_state       text NOT NULL,
    detail         text,                                 -- the bank's reason, or a person's evidence
    by_whom        text                                  -- operators, where they decided
);
CREATE INDEX ON instruction_steps (instruction_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON instruction_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON instruction_steps TO florin_api, florin_worker;
GRANT UPDATE (attempts, failures, last_sent_at) ON instructions TO florin_worker;
GRANT UPDATE (next_at, attempts, failures) ON instructions TO florin_api;

-- What an operator knows of the bank by other ways is a word of the bank like any other: it waits
-- in the inbox, with the evidence and both names, and a worker applies it by state.
ALTER TABLE callbacks ADD COLUMN source text NOT NULL DEFAULT 'callback'
    CHECK (source IN ('callback', 'operator'));
ALTER TABLE callbacks ADD COLUMN evidence text;
ALTER TABLE callbacks ADD COLUMN decided_by text;
ALTER TABLE callbacks ADD COLUMN approved_by text;
ALTER TABLE callbacks ADD CHECK (source <> 'operator' OR num_nulls(evidence, decided_by) = 0);
CREATE INDEX ON callbacks (bank, reference);
