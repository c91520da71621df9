//! Content that arrives bit by bit.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use crate::EngineError;
use crate::transport::Answer;

/// The content of a file or bytes, read as it arrives: no more of it is in memory than one part.
///
/// Cancellation: dropping it closes its connection; a dropped [`Download::chunk`] loses nothing.
pub struct Download {
    body: Answer,
    media_type: Option<String>,
    length: Option<u64>,
    url: String,
    timeout: Duration,
    limit: u64,
    received: u64,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("url", &self.url)
            .field("length", &self.length)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Download {
    pub(crate) fn new(
        response: Response<Answer>,
        url: String,
        timeout: Duration,
        limit: u64,
    ) -> Result<Self, EngineError> {
        let header = |name| response.headers().get(name)?.to_str().ok();
        let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(EngineError::TooLarge { url, limit });
        }
        Ok(Self {
            media_type: header(CONTENT_TYPE).map(str::to_owned),
            length,
            body: response.into_body(),
            url,
            timeout,
            limit,
            received: 0,
        })
    }

    /// The media type that the engine tells.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// How many bytes it has, where the engine tells it ahead.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next part; none at the end.
    ///
    /// # Errors
    /// [`EngineError::TooLarge`] where there is more than the limit, [`EngineError::TimedOut`] where nothing comes for
    /// as long as a call may take, [`EngineError::Unreachable`] where the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            let frame = tokio::time::timeout(self.timeout, self.body.frame()).await;
            let frame = frame.map_err(|_| EngineError::TimedOut {
                url: self.url.clone(),
                after: self.timeout,
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|source| EngineError::Unreachable {
                url: self.url.clone(),
                was_sent: true,
                source,
            })?;
            // Else it is a trailer.
            if let Ok(data) = frame.into_data() {
                self.received += data.len() as u64;
                if self.received > self.limit {
                    return Err(EngineError::TooLarge {
                        url: self.url.clone(),
                        limit: self.limit,
                    });
                }
                return Ok(Some(data));
            }
        }
    }

    /// All that is still to come, in one piece.
    ///
    /// # Errors
    /// As [`Download::chunk`].
    pub async fn whole(mut self) -> Result<Bytes, EngineError> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
