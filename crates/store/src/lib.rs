//! State at rest: schema, migrations, one query file per noun.
