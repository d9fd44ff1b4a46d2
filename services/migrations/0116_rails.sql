-- Over which of the bank's rails an instruction goes, chosen before the bank first hears of it.
ALTER TABLE instructions ADD COLUMN rail text NOT NULL DEFAULT 'internal';
ALTER TABLE instructions ALTER COLUMN rail DROP DEFAULT;
