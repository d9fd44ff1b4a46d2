-- A limit may be ended before it begins, as every other rule may.
ALTER TABLE limit_rules DROP CONSTRAINT limit_rules_check2;
ALTER TABLE limit_rules ADD CHECK (valid_to >= valid_from);
