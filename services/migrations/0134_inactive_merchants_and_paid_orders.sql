-- No payout leaves for a merchant that is suspended, or a draft again: what asks first may have
-- asked a moment too early. What is carried over moves no money.
CREATE FUNCTION check_settled_merchant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.payout > 0 AND NOT EXISTS (
        SELECT FROM merchants WHERE id = NEW.merchant_id AND state = 'active'
    ) THEN
        RAISE EXCEPTION 'settlement %: its merchant is not active', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'merchant_not_active';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER settled_merchant_is_active AFTER INSERT ON settlements
    FOR EACH ROW EXECUTE FUNCTION check_settled_merchant();

-- The payments of an order, also those that came to nothing, and of one that many may pay.
CREATE INDEX payments_of_order ON payments (order_id, id) WHERE order_id IS NOT NULL;
