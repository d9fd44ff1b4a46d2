-- What authorised a unit of transfers, as a digest that is sealed with the first of them: whoever
-- changes what was agreed to, or who agreed, can no longer show that the books agree with it.
ALTER TABLE transfers
    ADD evidence bytea                                       -- SHA-256; opaque to the ledger
        CONSTRAINT evidence_is_a_digest CHECK (octet_length(evidence) = 32);
