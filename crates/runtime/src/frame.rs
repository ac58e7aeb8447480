//! The channel between agent and guest: a length of four bytes, big endian, then that much JSON.
//!
//! Invariants: reading is total (any bytes give a frame or an error in bounded memory), and a reader may
//! be dropped between two polls without losing bytes. Not here: what frames mean (`process`).

use tokio::io::{AsyncRead, AsyncReadExt};

const HEADER: usize = 4;

/// What reading can meet.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The announced frame is larger than the limit.
    TooLarge,
    /// The stream ended within a frame, or failed.
    Cut,
}

/// Reads frames of at most `limit` bytes.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    source: R,
    limit: u64,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(source: R, limit: u64) -> Self {
        Self { source, limit, buffer: Vec::new() }
    }

    /// The next frame, or `None` when the other side ended between two frames.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            if let Some(frame) = self.complete()? {
                return Ok(Some(frame));
            }
            let read = self.source.read_buf(&mut self.buffer).await.map_err(|_| Broken::Cut)?;
            if read == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(Broken::Cut) };
            }
        }
    }

    fn complete(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes(*header);
        if u64::from(length) > self.limit {
            return Err(Broken::TooLarge);
        }
        let end = usize::try_from(length).map_or(usize::MAX, |length| length + HEADER);
        if self.buffer.len() < end {
            return Ok(None);
        }
        let rest = self.buffer.split_off(end);
        let mut frame = std::mem::replace(&mut self.buffer, rest);
        frame.drain(..HEADER);
        Ok(Some(frame))
    }
}

/// A frame around `body`; `None` when it is longer than the header can say.
pub(crate) fn encode(body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok()?;
    Some([length.to_be_bytes().as_slice(), body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8], limit: u64) -> Vec<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = FrameReader::new(bytes, limit);
            let mut frames = Vec::new();
            while let Ok(Some(frame)) = reader.next().await {
                frames.push(frame);
            }
            frames
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for frame in read_all(&bytes, 64) {
                prop_assert!(frame.len() <= 64);
            }
        }

        #[test]
        fn frames_come_out_as_they_went_in(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5)
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| encode(frame).unwrap()).collect();
            prop_assert_eq!(read_all(&bytes, 40), frames);
        }
    }
}
