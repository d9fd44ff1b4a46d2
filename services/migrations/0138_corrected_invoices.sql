-- A credit note names the invoices by which was charged what it gives back, as they were numbered.

ALTER TABLE fee_invoices ADD corrects jsonb NOT NULL DEFAULT '[]';   -- each with id and number
