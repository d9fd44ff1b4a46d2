-- Money that its bank tells of under no reference, and that nothing else identifies: told again it
-- may look like other money, so no rule gives it to anybody.
ALTER TABLE callbacks ADD unidentified boolean NOT NULL DEFAULT false;
