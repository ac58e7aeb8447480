//! Byte channels over one link: framing, credit, half-close.
