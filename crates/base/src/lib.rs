//! Process plumbing: logs, configuration, tasks and shutdown, backoff, clock, secrets.
