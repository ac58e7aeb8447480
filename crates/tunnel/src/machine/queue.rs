//! Bytes of one direction of one channel, waiting.
//! Invariant: memory stays within twice the bytes held plus a constant: small pieces are gathered into
//! one buffer, so that neither a stream of one-byte frames nor a slice of a large read buffer pins more.
//! Not here: how much may wait (`credit.rs`).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::frame::MAX_DATA;

/// Pieces from this size on are kept as they are; a slice of a read buffer pins at most a few times its size.
const LARGE: usize = 16 * 1024;

/// A first-in first-out queue of bytes.
#[derive(Debug, Default)]
pub(crate) struct ByteQueue {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl ByteQueue {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() < LARGE {
            return self.push_slice(&piece);
        }
        self.length += piece.len();
        self.seal();
        self.chunks.push_back(piece);
    }

    pub(crate) fn push_slice(&mut self, piece: &[u8]) {
        self.length += piece.len();
        self.tail.extend_from_slice(piece);
        if self.tail.len() >= MAX_DATA {
            self.seal();
        }
    }

    /// The next piece, at most `limit` bytes of it; `None` when empty.
    pub(crate) fn pop(&mut self, limit: usize) -> Option<Bytes> {
        let piece = match self.chunks.front_mut() {
            Some(front) if front.len() > limit => front.split_to(limit),
            Some(_) => self.chunks.pop_front()?,
            None if self.tail.is_empty() => {
                self.release();
                return None;
            }
            None if self.tail.len() > limit => self.tail.split_to(limit).freeze(),
            None => std::mem::take(&mut self.tail).freeze(),
        };
        self.length -= piece.len();
        Some(piece)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// An idle channel holds no memory for what once waited.
    fn release(&mut self) {
        if self.chunks.capacity() > 0 {
            self.chunks = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_leave_in_the_order_they_came(
            sizes in proptest::collection::vec(0usize..40_000, 0..20),
            limits in proptest::collection::vec(1usize..70_000, 1..20),
        ) {
            let mut queue = ByteQueue::default();
            let mut wanted = Vec::new();
            for (index, size) in sizes.iter().enumerate() {
                let piece: Vec<u8> = (0..*size).map(|byte| (byte + index) as u8).collect();
                wanted.extend_from_slice(&piece);
                queue.push(piece.into());
            }
            prop_assert_eq!(queue.len(), wanted.len());
            let mut got = Vec::new();
            for limit in limits.iter().cycle() {
                let Some(piece) = queue.pop(*limit) else { break };
                prop_assert!(!piece.is_empty() && piece.len() <= *limit);
                got.extend_from_slice(&piece);
            }
            prop_assert_eq!(got, wanted);
            prop_assert!(queue.is_empty());
        }
    }
}
