-- A net payment is recognised when the other bank reports it as incoming money, and once.
ALTER TABLE netting_obligations ADD COLUMN arrival_id uuid;  -- the event with which the other bank has it
GRANT UPDATE (arrival_id) ON netting_obligations TO florin_worker;
