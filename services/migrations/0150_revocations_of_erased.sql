-- What was revoked of somebody who is erased goes on under a keyed hash, in a row of its own.
GRANT DELETE ON revocations TO florin_api;
