-- Why a file of a bank could not be used. It is set aside where nobody looks, so it is told.
ALTER TABLE bank_files ADD fault text;
CREATE INDEX bank_files_failed ON bank_files (bank) WHERE fault IS NOT NULL;
