-- What a payment that came is called from end to end, where it could be one of our own.
ALTER TABLE callbacks ADD end_to_end_id text CHECK (end_to_end_id ~ '^[0-7][0-9A-HJKMNP-TV-Z]{25}$');
