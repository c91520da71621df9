//! From bytes to text, as the engine's XML reader decodes them.

use std::borrow::Cow;
use std::ops::Range;

use diagnostics::{Diagnostic, LineIndex};

use super::MAX_BYTES;
use super::encoding::{Encoding, Order, Single, XmlDeclaration, declaration};
use crate::codes;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const BIG_MARK: &[u8] = b"\xfe\xff";
const LITTLE_MARK: &[u8] = b"\xff\xfe";

/// The text of an XML file, without a byte order mark; borrowed where the file is UTF-8. `file` is what the finding
/// calls it.
///
/// The encoding is what the byte order mark and the XML declaration say, else UTF-8. A text comes out only where the
/// engine's reader makes the same one of the bytes. Never panics, whatever the bytes.
///
/// # Errors
/// Where the file is too large, where it cannot be told for certain what its bytes mean, and where they mean nothing.
pub fn decode<'b>(file: &str, bytes: &'b [u8]) -> Result<Cow<'b, str>, Box<Diagnostic>> {
    within_size(file, bytes)?;
    text(bytes).map_err(|wrong| Box::new(wrong.into_finding(file)))
}

/// The text of a file that is no XML: UTF-8, with a byte order mark or without.
pub(crate) fn decode_utf8<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Box<Diagnostic>> {
    within_size(file, bytes)?;
    utf8(bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes)).map_err(|wrong| Box::new(wrong.into_finding(file)))
}

fn within_size(file: &str, bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
    if bytes.len() <= MAX_BYTES {
        return Ok(());
    }
    let message = format!(
        "the file has {} bytes, {MAX_BYTES} is the most that is read",
        bytes.len()
    );
    Err(codes::FILE_TOO_LARGE.error(file, None, message).into())
}

/// The beginning of a text, for a look at what it is; cut off at the first byte that means nothing.
pub(crate) fn head(bytes: &[u8]) -> Cow<'_, str> {
    const LENGTH: usize = 4096;
    let head = &bytes[..bytes.len().min(LENGTH)];
    text(head).unwrap_or_else(|wrong| Cow::Owned(wrong.before))
}

/// Why bytes are no text.
struct Wrong {
    code: &'static codes::Code,
    /// The text so far.
    before: String,
    /// Where in it.
    place: Option<Range<usize>>,
    message: String,
}

impl Wrong {
    fn encoding(message: impl Into<String>) -> Self {
        Self {
            code: &codes::UNREADABLE_ENCODING,
            before: String::new(),
            place: None,
            message: message.into(),
        }
    }

    fn after(before: String, message: String) -> Self {
        let end = before.len();
        Self::encoding(message).within(before, end..end)
    }

    fn within(self, text: impl Into<String>, place: Range<usize>) -> Self {
        Self {
            before: text.into(),
            place: Some(place),
            ..self
        }
    }

    fn into_finding(self, file: &str) -> Diagnostic {
        let place = self.place.map(|place| LineIndex::new(&self.before).range(place));
        self.code.error(file, place, self.message)
    }
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Wrong> {
    let (marked, rest) = if let Some(rest) = bytes.strip_prefix(UTF8_MARK) {
        (Some(Encoding::Utf8), rest)
    } else if let Some(rest) = bytes.strip_prefix(LITTLE_MARK) {
        (Some(Encoding::Utf16(Order::Little)), rest)
    } else if let Some(rest) = bytes.strip_prefix(BIG_MARK) {
        (Some(Encoding::Utf16(Order::Big)), rest)
    } else {
        (None, bytes)
    };
    let text = match marked {
        Some(encoding) => {
            let text = by(encoding, rest)?;
            if let Some(declaration) = declared(&text)? {
                agree(encoding, &declaration, &text)?;
            }
            text
        }
        None => by(unmarked(rest)?, rest)?,
    };
    line_ends(&text)?;
    // Some readers, of ours too, would drop it and see a declaration behind it.
    if text.starts_with('\u{feff}') {
        return Err(Wrong::encoding(
            "the file begins with more than one byte order mark",
        ));
    }
    Ok(text)
}

/// The encoding of a file without a byte order mark.
fn unmarked(bytes: &[u8]) -> Result<Encoding, Wrong> {
    let begin = &bytes[..bytes.len().min(4)];
    if begin.contains(&0) {
        return Err(Wrong::encoding(
            "the file looks like UTF-16 or UTF-32 and has no byte order mark that would say so",
        ));
    }
    // `<?xm`.
    if begin == b"\x4c\x6f\xa7\x94" {
        return Err(Wrong::encoding("the file is EBCDIC, which is not read"));
    }
    // All that is read without a mark begins with ASCII: a declaration that is not ASCII alone is none.
    let is_end = |it: &[u8]| it == b"?>";
    let length = bytes.windows(2).position(is_end).map_or(0, |it| it + 2);
    let head = match std::str::from_utf8(&bytes[..length]) {
        Ok(head) => head,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let Some(declaration) = declared(head)? else {
        return Ok(Encoding::Utf8);
    };
    let Some(name) = declaration.encoding else {
        return Ok(Encoding::Utf8);
    };
    Encoding::named(name).ok_or_else(|| {
        let message = if is_wide(name) {
            format!("the file says that its encoding is {name}, which its bytes are not")
        } else {
            format!("the file says that its encoding is {name}, which is not read")
        };
        Wrong::encoding(message).within(head, declaration.range)
    })
}

/// Whether a declaration says what the byte order mark says. Xerces goes by the declaration where they differ.
fn agree(marked: Encoding, declaration: &XmlDeclaration<'_>, text: &str) -> Result<(), Wrong> {
    let Some(name) = declaration.encoding else {
        return Ok(());
    };
    let (mark, agrees) = match marked {
        Encoding::Utf16(_) => ("UTF-16", name.eq_ignore_ascii_case("UTF-16")),
        other => ("UTF-8", Encoding::named(name) == Some(other)),
    };
    if agrees {
        return Ok(());
    }
    let message = format!("the file's byte order mark says {mark}, its declaration {name}");
    let head = &text[declaration.range.clone()];
    Err(Wrong::encoding(message).within(head, declaration.range.clone()))
}

/// In XML 1.1 two more characters end lines and stand for blanks. What is read here is read by the rules of XML 1.0.
fn line_ends(text: &str) -> Result<(), Wrong> {
    if !declared(text)?.is_some_and(|it| it.is_1_1) {
        return Ok(());
    }
    match text
        .char_indices()
        .find(|(_, c)| matches!(c, '\u{85}' | '\u{2028}'))
    {
        Some((at, c)) => {
            let message = format!(
                "U+{:04X} is a line's end in XML 1.1 and none in XML 1.0",
                u32::from(c)
            );
            let wrong = Wrong {
                code: &codes::NOT_XML,
                ..Wrong::encoding(message)
            };
            Err(wrong.within(text, at..at + c.len_utf8()))
        }
        None => Ok(()),
    }
}

fn declared(text: &str) -> Result<Option<XmlDeclaration<'_>>, Wrong> {
    declaration(text).map_err(|place| Wrong {
        code: &codes::NOT_XML,
        before: text[..place.end].to_owned(),
        place: Some(place),
        message: "this is no XML declaration such as <?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
    })
}

/// Whether a character of it takes two bytes or more, so that no reader finds ASCII in it.
fn is_wide(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["UTF-16", "UTF-32", "UTF16", "UTF32", "ISO-10646-UCS", "UCS-"]
        .iter()
        .any(|it| name.starts_with(it))
}

fn by(encoding: Encoding, bytes: &[u8]) -> Result<Cow<'_, str>, Wrong> {
    match encoding {
        Encoding::Utf8 => utf8(bytes).map(Cow::Borrowed),
        Encoding::Utf16(order) => utf16(order, bytes).map(Cow::Owned),
        // The same characters as in UTF-8.
        Encoding::Single(_) if bytes.is_ascii() => utf8(bytes).map(Cow::Borrowed),
        Encoding::Single(single) => one_by_one(single, bytes).map(Cow::Owned),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = String::from_utf8_lossy(good).into_owned();
        let byte = bad.first().copied().unwrap_or_default();
        Wrong::after(good, format!("byte 0x{byte:02X} is not UTF-8 here"))
    })
}

fn utf16(order: Order, bytes: &[u8]) -> Result<String, Wrong> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| match order {
        Order::Big => u16::from_be_bytes(*pair),
        Order::Little => u16::from_le_bytes(*pair),
    });
    let mut text = String::with_capacity(bytes.len());
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => text.push(c),
            Err(half) => {
                let message = format!("0x{:04X} is half of a pair here", half.unpaired_surrogate());
                return Err(Wrong::after(text, message));
            }
        }
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        Err(Wrong::after(
            text,
            "the file ends within a character of UTF-16".to_owned(),
        ))
    }
}

fn one_by_one(single: Single, bytes: &[u8]) -> Result<String, Wrong> {
    let characters = single.characters();
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for byte in bytes {
        let Some(c) = characters[usize::from(*byte)] else {
            let message = format!("byte 0x{byte:02X} is nothing in the encoding that the file declares");
            return Err(Wrong::after(text, message));
        };
        text.push(c);
    }
    Ok(text)
}
