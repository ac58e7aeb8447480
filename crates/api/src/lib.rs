//! What people say to the cloud: REST types, routes, typed client.
