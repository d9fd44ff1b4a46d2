-- Money that nobody asked for goes back to the account it came from.

ALTER TABLE callbacks ADD sender_account_sealed bytea;   -- where it came from, if the bank says
GRANT UPDATE (sender_account_sealed) ON callbacks TO florin_api;

ALTER TABLE incoming_money
    DROP CONSTRAINT incoming_money_state_check,
    ADD CONSTRAINT incoming_money_state_check
        CHECK (state IN ('unmatched', 'matched', 'returning', 'sent_back'));

ALTER TABLE instructions DROP CONSTRAINT instructions_purpose_check;
ALTER TABLE instructions ADD CONSTRAINT instructions_purpose_check
    CHECK (purpose IN ('payment', 'top_up', 'withdrawal', 'settlement', 'netting', 'send_back'));

-- Who wanted it back where it came from. What became of that says its instruction.
CREATE TABLE incoming_returns (
    id          uuid PRIMARY KEY,                        -- the subject of the instruction
    incoming_id uuid NOT NULL REFERENCES incoming_money,
    note        text NOT NULL,
    operator    text NOT NULL,
    approved_by text,
    created_at  timestamptz NOT NULL
);
CREATE INDEX ON incoming_returns (incoming_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON incoming_returns
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON incoming_returns TO florin_api, florin_worker;
GRANT INSERT ON incoming_returns TO florin_api;
