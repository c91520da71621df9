//! From bytes to text.

use diagnostics::{Diagnostic, LineIndex};

use super::MAX_BYTES;
use crate::codes;

/// Decodes the bytes; a byte order mark goes.
pub(crate) fn decode<'t>(file: &str, bytes: &'t [u8]) -> Result<&'t str, Box<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.len() > MAX_BYTES {
        let message = format!(
            "the file has {} bytes, {MAX_BYTES} is the most that is read",
            bytes.len()
        );
        return Err(codes::FILE_TOO_LARGE.error(file, None, message).into());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(codes::NOT_UTF8
            .error(file, None, "the file is UTF-16, not UTF-8".into())
            .into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = std::str::from_utf8(good).unwrap_or_default();
        let place = LineIndex::new(good).range(good.len()..good.len());
        let byte = bad.first().copied().unwrap_or_default();
        codes::NOT_UTF8
            .error(file, place, format!("byte 0x{byte:02X} is not UTF-8 here"))
            .into()
    })
}
