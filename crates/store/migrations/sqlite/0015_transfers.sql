-- Boards that one project offers to another; a row is gone when it was taken, withdrawn or declined.
CREATE TABLE transfers (
    id TEXT NOT NULL PRIMARY KEY,
    board TEXT NOT NULL UNIQUE REFERENCES boards (id) ON DELETE CASCADE,
    giver TEXT NOT NULL,
    receiver TEXT NOT NULL,
    offered_by TEXT NOT NULL,
    offered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX transfers_by_receiver ON transfers (receiver, id);
CREATE INDEX transfers_by_giver ON transfers (giver, id);
