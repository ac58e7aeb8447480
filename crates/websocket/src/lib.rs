//! RFC 6455: the codec and its asynchronous shell.
