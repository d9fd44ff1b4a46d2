-- What a rule keeps of one day is one reserve, which grows as the day goes on: a merchant that is
-- paid every minute has two of a day, not thousands, and a refund sees all of them.
CREATE INDEX ON reserves (rule_id, day);
GRANT UPDATE (amount, to_entry) ON reserves TO florin_api, florin_worker;
