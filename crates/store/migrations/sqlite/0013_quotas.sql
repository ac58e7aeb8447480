-- What an operator said about how much a project may have, in JSON; what is not said is the configuration's.
CREATE TABLE quotas (
    project TEXT NOT NULL PRIMARY KEY,
    said TEXT NOT NULL
);

-- What a plugin takes: its source, its parameters, and what upstream's clients keep with it.
ALTER TABLE plugins ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE plugins SET bytes = LENGTH(CAST(source AS BLOB)) + LENGTH(CAST(parameters AS BLOB)) + LENGTH(CAST(extra AS BLOB));
CREATE INDEX plugins_by_size ON plugins (project, bytes);
CREATE INDEX boards_in_use ON boards (project) WHERE status <> 'decommissioned';
