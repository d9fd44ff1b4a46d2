-- How low an account may fall can be changed. What was right under an earlier floor stays right, so
-- the lowest floor that there ever was is remembered; null: it never was another one.
ALTER TABLE accounts ADD floor_lowest bigint;
GRANT UPDATE (floor, floor_lowest) ON accounts TO florin_ledger;
