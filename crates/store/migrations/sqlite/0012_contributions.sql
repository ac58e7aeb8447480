-- What is given of each board to others; `said` is JSON.
CREATE TABLE contributions (
    board TEXT NOT NULL PRIMARY KEY REFERENCES boards (id) ON DELETE CASCADE,
    said TEXT NOT NULL,
    giver TEXT NOT NULL,
    offered BIGINT NOT NULL,
    in_hours BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX contributions_offered ON contributions (board) WHERE offered = 1;
CREATE INDEX contributions_in_hours ON contributions (board) WHERE in_hours = 1;

-- What the boards of a claim begin with.
ALTER TABLE claims ADD COLUMN contribution TEXT;
