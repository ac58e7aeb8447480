-- Whether terminals are recorded: of a project (`project:ID`), or of one board (`board:ID`), which wins.
CREATE TABLE recording_settings (
    subject TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    record BIGINT NOT NULL
);

-- What was recorded; what was shown lies in files. Without an end the session goes on, or the cloud died in it.
CREATE TABLE recordings (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    board TEXT NOT NULL,
    user_id TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    bytes BIGINT NOT NULL,
    sha256 TEXT,
    erased_at BIGINT
);
CREATE INDEX recordings_in_order ON recordings (project, id);
CREATE INDEX recordings_by_board ON recordings (board, id);
CREATE INDEX recordings_kept ON recordings (id) WHERE erased_at IS NULL;
