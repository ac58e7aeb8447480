-- Requests to many boards at once (upstream: main requests); the operations they consist of name them.

CREATE TABLE main_requests (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    fleet TEXT,
    action TEXT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX main_requests_in_order ON main_requests (project, id);

ALTER TABLE operations ADD COLUMN main TEXT;
CREATE INDEX operations_by_main ON operations (main) WHERE main IS NOT NULL;

-- How often a plugin was put on a board: upstream tells the first time from later ones.
ALTER TABLE injections ADD COLUMN times BIGINT NOT NULL DEFAULT 0;
UPDATE injections SET times = CASE WHEN revision_injected > 1 THEN 2 ELSE 1 END WHERE revision_injected IS NOT NULL;
