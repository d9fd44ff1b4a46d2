-- In a migration of its own: Postgres lets nobody use a new value before it is committed.
ALTER TYPE transfer_kind ADD VALUE 'reversal';
