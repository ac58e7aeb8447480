//! WAMP version 2: codecs, router and session state machines, client.
