//! Answers that are a number.

use serde::Deserialize;

use crate::EngineError;
use crate::call::Call;

#[derive(Deserialize)]
pub(crate) struct Count {
    count: u64,
}

impl Count {
    /// Sends a call that is answered with a number.
    pub(crate) async fn of(call: Call<'_>) -> Result<u64, EngineError> {
        Ok(call.read::<Self>().await?.count)
    }
}
