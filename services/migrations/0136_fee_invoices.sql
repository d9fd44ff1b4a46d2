-- An invoice says who issues it and to whom, as it was when it was issued; what was given back of
-- fees is a document of its own, a credit note, numbered with the invoices.

ALTER TABLE fee_invoices
    ADD kind      text NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'credit_note')),
    ADD issuer    jsonb,                                 -- name, address, tax id; null: not configured
    ADD recipient jsonb,                                 -- the same; null: issued before it was said
    DROP CONSTRAINT fee_invoice_exists,
    ADD CONSTRAINT fee_invoice_exists UNIQUE (merchant_id, currency, month, kind);
ALTER TABLE fee_invoices ALTER kind DROP DEFAULT;
