//! Bodies that may hold a PIN block or somebody's name: wiped from memory when they are dropped.

use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

/// Longer than any message of the interface, so that writing one leaves no copies behind.
const MESSAGE_BYTES: usize = 16 * 1024;

/// A body that is being put together.
pub(super) struct BodyBuffer {
    bytes: Zeroizing<Vec<u8>>,
}

impl BodyBuffer {
    /// A buffer for a body of about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> BodyBuffer {
        BodyBuffer {
            bytes: Zeroizing::new(Vec::with_capacity(bytes)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends `chunk`. Where it has to grow, the old place is wiped, which a plain vector's is not.
    pub(super) fn append(&mut self, chunk: &[u8]) {
        let needed = self.bytes.len() + chunk.len();
        if needed > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(chunk);
    }

    pub(super) fn finish(self) -> Bytes {
        Bytes::from_owner(self.bytes)
    }
}

impl std::io::Write for BodyBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The message as compact JSON.
pub(crate) fn json_body(message: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let mut body = BodyBuffer::with_capacity(MESSAGE_BYTES);
    serde_json::to_writer(&mut body, message)?;
    Ok(body.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_the_same_however_often_it_had_to_grow() {
        let message = vec!["word"; 10_000];
        let body = json_body(&message).unwrap();
        assert_eq!(body, serde_json::to_vec(&message).unwrap());
    }
}
