-- What Keystone's clients know of people and projects beyond their names.
ALTER TABLE users ADD COLUMN about TEXT NOT NULL DEFAULT '{}';
-- Tokens made before this moment are refused: the password was changed, or the user was disabled.
ALTER TABLE users ADD COLUMN tokens_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN unrestricted BIGINT NOT NULL DEFAULT 0;
-- The requests that its tokens may make; NULL for all that its roles allow.
ALTER TABLE credentials ADD COLUMN access TEXT;

-- Roles beside the four that are built in.
CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL
);

-- Tokens that were ended before their time, until they would have ended by themselves.
CREATE TABLE revoked_tokens (
    audit TEXT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_by_end ON revoked_tokens (until);
