-- What an order is made of, how often it may be paid, and what its merchant says of it; and what is
-- known of a merchant before anybody may pay it.

ALTER TABLE merchants
    ADD state text NOT NULL DEFAULT 'active' CONSTRAINT merchant_state
        CHECK (state IN ('draft', 'review', 'active', 'suspended')),
    ADD state_reason          text,                      -- why it is so, in an operator's words
    ADD state_at              timestamptz,
    ADD legal_name            text,
    ADD registration_number   text,                      -- in the register of companies
    ADD tax_id                text,
    ADD category              text CHECK (category ~ '^[0-9]{4}$'),  -- MCC, ISO 18245
    ADD street                text,
    ADD postal_code           text,
    ADD city                  text,
    ADD upi_vpa               text,
    ADD pix_key               text,
    ADD pix_key_type          text CHECK (pix_key_type IN ('CPF', 'CNPJ', 'EMAIL', 'PHONE', 'EVP')),
    ADD settlement_account_id uuid REFERENCES bank_accounts,
    ADD CHECK ((pix_key IS NULL) = (pix_key_type IS NULL));
-- Who was taken on before there was a review goes on; who comes now says where it begins.
ALTER TABLE merchants ALTER state DROP DEFAULT;
CREATE INDEX ON merchants (state, id);
GRANT UPDATE (state, state_reason, state_at, legal_name, registration_number, tax_id, category,
    street, postal_code, city, upi_vpa, pix_key, pix_key_type, settlement_account_id)
    ON merchants TO florin_api;

ALTER TABLE orders
    ALTER amount DROP NOT NULL,                          -- null: whoever pays fills it in
    ALTER expires_at DROP NOT NULL,                      -- null: never
    ADD reusable           boolean NOT NULL DEFAULT false,
    ADD subtotal           bigint CHECK (subtotal > 0),  -- of the lines, before tax
    ADD discount           bigint CHECK (discount >= 0),
    ADD shipping           bigint CHECK (shipping >= 0),
    ADD tax                bigint CHECK (tax >= 0),
    ADD status             text NOT NULL DEFAULT 'pending' CONSTRAINT order_status CHECK (status IN
        ('pending', 'processing', 'partially_shipped', 'shipped', 'completed', 'canceled')),
    ADD status_description text,
    ADD status_at          timestamptz,
    ADD CONSTRAINT only_reusable_orders_are_open CHECK (
        reusable OR (amount IS NOT NULL AND expires_at IS NOT NULL)),
    ADD CONSTRAINT order_total_mismatch CHECK (
        num_nonnulls(subtotal, discount, shipping, tax) IN (0, 4)
        AND (subtotal IS NULL
             OR (amount IS NOT NULL AND amount = subtotal - discount + shipping + tax))),
    ADD CONSTRAINT usage_of_order UNIQUE (id, reusable);
CREATE INDEX ON orders (merchant_id, id);
GRANT UPDATE (status, status_description, status_at) ON orders TO florin_api;

CREATE TABLE order_lines (
    order_id    uuid NOT NULL REFERENCES orders,
    line        int  NOT NULL CHECK (line > 0),          -- 1, 2, 3, ... of its order
    product     text,                                    -- the merchant's own id of it
    name        text NOT NULL,
    quantity    int  NOT NULL CHECK (quantity > 0),
    unit_amount bigint NOT NULL CHECK (unit_amount > 0),
    amount      bigint NOT NULL,                         -- before tax
    tax_percent numeric CHECK (tax_percent BETWEEN 0 AND 100),
    tax         bigint CHECK (tax >= 0),                 -- null where only the order says its tax
    PRIMARY KEY (order_id, line),
    CONSTRAINT line_is_quantity_of_units CHECK (amount = quantity * unit_amount)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- All lines of an order are written at once, after the order.
CREATE FUNCTION check_order_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_lines l JOIN orders o ON o.id = l.order_id
         GROUP BY o.id
        HAVING o.subtotal IS DISTINCT FROM sum(l.amount) OR sum(l.tax) <> o.tax) THEN
        RAISE EXCEPTION 'the lines of an order do not sum to what it says'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'order_total_mismatch';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_order_lines AFTER INSERT ON order_lines
    REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION check_order_lines();
GRANT SELECT ON order_lines TO florin_api, florin_worker;
GRANT INSERT ON order_lines TO florin_api;

-- One payment pays an order, and any number one that is reusable. The key into orders sees to it
-- that both tables say the same of it.
ALTER TABLE payments
    ADD order_reusable boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT payments_order_id_fkey,
    ADD CONSTRAINT usage_of_paid_order
        FOREIGN KEY (order_id, order_reusable) REFERENCES orders (id, reusable);
DROP INDEX order_already_paid;
CREATE UNIQUE INDEX order_already_paid ON payments (order_id)
    WHERE order_id IS NOT NULL AND NOT order_reusable
      AND state NOT IN ('failed', 'canceled', 'expired', 'reversed');

-- Whoever cancels an order holds its row, and the key above waits for that row: so either the
-- payment is there when somebody wants to cancel, or it finds the order canceled here.
CREATE FUNCTION check_paid_orders() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refusal text;
BEGIN
    SELECT CASE o.status WHEN 'canceled' THEN 'order_canceled' ELSE 'merchant_not_active' END
      INTO refusal
      FROM new_payments p
      JOIN orders o ON o.id = p.order_id
      JOIN merchants m ON m.id = o.merchant_id
     WHERE o.status = 'canceled' OR m.state <> 'active'
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'an order of the payments cannot be paid'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = refusal;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_paid_orders AFTER INSERT ON payments
    REFERENCING NEW TABLE AS new_payments
    FOR EACH STATEMENT EXECUTE FUNCTION check_paid_orders();
