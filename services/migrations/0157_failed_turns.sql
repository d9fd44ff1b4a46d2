-- What could not be done is tried again behind what was not tried yet, and behind what failed before
-- it: a run does so many and no more, and those that always fail must not be all that it does.
ALTER TABLE disputes ADD expiry_failed_at timestamptz;
ALTER TABLE reserve_marks ADD release_failed_at timestamptz;
GRANT UPDATE (expiry_failed_at) ON disputes TO florin_worker;
GRANT UPDATE (release_failed_at) ON reserve_marks TO florin_worker;
