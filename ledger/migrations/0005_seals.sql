-- Every transfer is sealed, about a second after it was committed: its hash goes into a chain and
-- into a Merkle tree (RFC 6962) over all transfers since the beginning, in the order of commit. Who
-- keeps one head can tell for ever after whether anything before it was changed.

CREATE TABLE seals (
    number            bigint      NOT NULL CONSTRAINT seal_exists PRIMARY KEY,   -- 1, 2, 3, ...
    first_position    bigint      NOT NULL,                -- of its first leaf, from 0
    size              int         NOT NULL CHECK (size > 0 OR (is_restoration AND size = 0)),
    transfer_ids      bytea       NOT NULL,                -- 16 bytes each, in the order of the leaves
    chain             bytea       NOT NULL,                -- SHA-256 of the chain before, and the leaves
    root              bytea       NOT NULL,                -- of the tree up to here
    peaks             bytea       NOT NULL,                -- its complete subtrees, the largest first
    snapshot          text,                                -- what had been committed; null: more follows
    cluster           bigint      NOT NULL,                -- whose transaction ids these are
    is_restoration    boolean     NOT NULL,                -- sealed by what was not sealed, not by time
    restored_through  timestamptz,                         -- until when ids of another cluster occur
    first_recorded_at timestamptz,
    last_recorded_at  timestamptz,
    sealed_at         timestamptz NOT NULL,
    signature         text,                                -- of the head, a compact JWS
    CHECK (octet_length(transfer_ids) = 16 * size),
    CHECK (octet_length(chain) = 32 AND octet_length(root) = 32)
);
CREATE INDEX ON seals (first_position);
CREATE INDEX ON seals (last_recorded_at);
-- Ids do not compress, and a part of them is read without the rest.
ALTER TABLE seals ALTER transfer_ids SET STORAGE EXTERNAL;

-- Subtrees of 1024 leaves and more, once complete; whatever is smaller is computed again.
CREATE TABLE merkle_nodes (
    level    int    NOT NULL CHECK (level >= 10),
    position bigint NOT NULL,                              -- covers 2^level leaves from position * 2^level
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32),
    CONSTRAINT merkle_node_exists PRIMARY KEY (level, position)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON merkle_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION unpacked_ids(ids bytea) RETURNS SETOF uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(substr(ids, 16 * n + 1, 16), 'hex')::uuid
      FROM generate_series(0, octet_length(ids) / 16 - 1) n
$$;

-- Whether `transaction` had been committed when the snapshot was taken, or was never to be.
CREATE FUNCTION was_done(transaction bigint, snapshot pg_snapshot) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_visible_in_snapshot(transaction::text::xid8, snapshot)
$$;

GRANT SELECT, INSERT ON seals, merkle_nodes TO florin_ledger;
