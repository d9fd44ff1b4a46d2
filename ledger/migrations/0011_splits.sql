-- A merchant shares with others what it was paid.
INSERT INTO allowed_postings (debit_type, credit_type) VALUES ('merchant', 'merchant');
