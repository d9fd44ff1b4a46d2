-- Fee schedules become terms: parts with conditions, in versions that are drafted and then put in
-- force. What a payment was priced by stands with it, so that it can be priced again, exactly.

ALTER TABLE fee_schedules
    ALTER merchant_id DROP NOT NULL,                     -- null: for all who have none of their own
    ALTER valid_from  DROP NOT NULL,                     -- null: a draft, which prices nothing
    ADD version      int,                                -- 1, 2, 3, ... in the order of the drafts
    ADD terms        jsonb,                              -- services/fees/terms_schema.ts
    ADD created_by   text,                               -- the subject of the operator
    ADD created_at   timestamptz,
    ADD activated_by text,                               -- null: with the merchant itself
    ADD approved_by  text,
    ADD activated_at timestamptz;
UPDATE fee_schedules s
   SET version = n.version, created_at = s.valid_from, activated_at = s.valid_from,
       terms = jsonb_build_object(
         'components', jsonb_build_array(
           jsonb_build_object('kind', 'percent', 'percent', trim_scale(s.percent)::text),
           jsonb_build_object('kind', 'fixed', 'amount', s.fixed::text)),
         'floor', NULL, 'cap', NULL, 'tax_percent', trim_scale(s.tax_percent)::text,
         'borne_by', 'merchant', 'surcharge_rails', '[]'::jsonb, 'rounding', 'half_even',
         'refund_fees', 'keep')
  FROM (SELECT id, row_number() OVER (PARTITION BY merchant_id, currency ORDER BY valid_from, id)
               AS version FROM fee_schedules) AS n
 WHERE n.id = s.id;
DROP INDEX fee_schedule_exists;
ALTER TABLE fee_schedules
    DROP percent, DROP fixed, DROP tax_percent, DROP valid_to,
    ALTER version SET NOT NULL, ALTER terms SET NOT NULL, ALTER created_at SET NOT NULL,
    ADD CHECK (version > 0),
    ADD CONSTRAINT in_force_is_activated CHECK ((valid_from IS NULL) = (activated_at IS NULL)),
    ADD CONSTRAINT fee_version_exists UNIQUE NULLS NOT DISTINCT (merchant_id, currency, version);
CREATE UNIQUE INDEX fee_schedule_exists ON fee_schedules (merchant_id, currency, valid_from)
    NULLS NOT DISTINCT WHERE valid_from IS NOT NULL;

-- A draft is put in force once. Nothing else of it ever changes, and whatever is in force stays.
CREATE FUNCTION check_fee_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_from IS NOT NULL
       OR ROW(NEW.id, NEW.merchant_id, NEW.currency, NEW.version, NEW.terms, NEW.created_by,
              NEW.created_at) IS DISTINCT FROM
          ROW(OLD.id, OLD.merchant_id, OLD.currency, OLD.version, OLD.terms, OLD.created_by,
              OLD.created_at) THEN
        RAISE EXCEPTION 'a fee schedule never changes'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'append_only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_fee_schedule BEFORE UPDATE ON fee_schedules
    FOR EACH ROW EXECUTE FUNCTION check_fee_schedule();
GRANT UPDATE (valid_from, activated_by, approved_by, activated_at) ON fee_schedules TO florin_api;

-- What a merchant was paid, up to the days on which a price asked for it: written once, so that all
-- payments of the day see the same, and whoever prices one again too.
CREATE TABLE merchant_turnover (
    account_id uuid   NOT NULL,
    day        date   NOT NULL,                          -- in UTC; what was paid before it began
    last_entry bigint NOT NULL,                          -- of the account, that is counted
    paid       bigint NOT NULL CHECK (paid >= 0),        -- since the account's first row here
    PRIMARY KEY (account_id, day)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON merchant_turnover
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON merchant_turnover TO florin_api, florin_worker;
GRANT INSERT ON merchant_turnover TO florin_api;

ALTER TABLE fee_lines
    DROP CONSTRAINT fee_lines_kind_check,
    DROP CONSTRAINT fee_lines_amount_check,
    ADD CONSTRAINT fee_lines_kind_check CHECK (kind IN
        ('percent', 'fixed', 'tiers', 'floor', 'cap', 'tax', 'difference')),
    -- A cap takes away; a later capture may, of what an earlier one was charged for the same part.
    ADD CONSTRAINT fee_lines_amount_check CHECK (
        CASE WHEN capture IS NOT NULL THEN amount <> 0 WHEN kind = 'cap' THEN amount < 0
             ELSE amount > 0 END);

ALTER TABLE payments
    ADD surcharge    bigint NOT NULL DEFAULT 0 CHECK (surcharge >= 0), -- of amount, for the fee
    ADD fee_at       timestamptz,                        -- as of when it was priced
    ADD fee_volume   bigint CHECK (fee_volume >= 0),     -- the turnover that priced it, or 0
    ADD fee_country  text,                               -- where the payer was from, as we knew it
    ADD fee_category text,                               -- of the merchant, as we knew it
    ADD CONSTRAINT surcharge_is_fee_and_tax CHECK (surcharge IN (0, fee + tax));

-- Whom an order is shared with, and what of each payment went to whom.
ALTER TABLE orders ADD splits jsonb;                     -- services/fees/splits.ts
CREATE TABLE payment_splits (
    payment_id  uuid   NOT NULL REFERENCES payments,
    line        int    NOT NULL CHECK (line > 0),
    merchant_id uuid   NOT NULL REFERENCES merchants,
    amount      bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payment_id, line)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_splits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON payment_splits TO florin_api, florin_worker;
GRANT INSERT ON payment_splits TO florin_api;
