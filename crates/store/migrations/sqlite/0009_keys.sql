-- A board whose key two machines answered with at the same time is parked until somebody decides; then it may be let in from
-- one address only, until it has a new key. Rights that were given out before a board's epoch are refused by the board.
ALTER TABLE boards ADD COLUMN parked TEXT;
ALTER TABLE boards ADD COLUMN admits_from TEXT;
ALTER TABLE boards ADD COLUMN rights_epoch BIGINT NOT NULL DEFAULT 0;
