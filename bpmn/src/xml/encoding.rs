//! In which encoding a file is: what its byte order mark and its declaration say, where the engine's reader takes them
//! alike.
//!
//! The engine reads with the JVM's Xerces, and that with Java's tables. What is here was compared with both; where a
//! name means one table to browsers and another to Java (`iso-8859-1`, which browsers read as windows-1252) it is
//! Java's. What readers differ about is none of these: the file is refused.

use std::ops::Range;

/// An encoding that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16(Order),
    /// A byte is a character, the first 128 are ASCII.
    Single(Single),
}

/// The byte that comes first of the two in UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single {
    /// No other characters.
    Ascii,
    /// The others are U+0080 to U+00FF.
    Latin1,
    Table(&'static encoding_rs::Encoding),
}

/// Names as IANA has them, in capitals. Not here: encodings of more than one byte, in which a byte of ASCII may be a part
/// of something else; KOI8-U, windows-1255 and ISO-8859-9, of which Java and `encoding_rs` have different tables.
const NAMES: &[(&str, Encoding)] = &[
    ("UTF-8", Encoding::Utf8),
    ("UTF8", Encoding::Utf8),
    ("US-ASCII", Encoding::Single(Single::Ascii)),
    ("ASCII", Encoding::Single(Single::Ascii)),
    ("ISO-8859-1", Encoding::Single(Single::Latin1)),
    ("LATIN1", Encoding::Single(Single::Latin1)),
    ("ISO-8859-2", table(encoding_rs::ISO_8859_2)),
    ("ISO-8859-3", table(encoding_rs::ISO_8859_3)),
    ("ISO-8859-4", table(encoding_rs::ISO_8859_4)),
    ("ISO-8859-5", table(encoding_rs::ISO_8859_5)),
    ("ISO-8859-6", table(encoding_rs::ISO_8859_6)),
    ("ISO-8859-7", table(encoding_rs::ISO_8859_7)),
    ("ISO-8859-8", table(encoding_rs::ISO_8859_8)),
    ("ISO-8859-13", table(encoding_rs::ISO_8859_13)),
    ("ISO-8859-15", table(encoding_rs::ISO_8859_15)),
    ("ISO-8859-16", table(encoding_rs::ISO_8859_16)),
    ("KOI8-R", table(encoding_rs::KOI8_R)),
    ("WINDOWS-1250", table(encoding_rs::WINDOWS_1250)),
    ("WINDOWS-1251", table(encoding_rs::WINDOWS_1251)),
    ("WINDOWS-1252", table(encoding_rs::WINDOWS_1252)),
    ("WINDOWS-1253", table(encoding_rs::WINDOWS_1253)),
    ("WINDOWS-1254", table(encoding_rs::WINDOWS_1254)),
    ("WINDOWS-1256", table(encoding_rs::WINDOWS_1256)),
    ("WINDOWS-1257", table(encoding_rs::WINDOWS_1257)),
];

const fn table(encoding: &'static encoding_rs::Encoding) -> Encoding {
    Encoding::Single(Single::Table(encoding))
}

impl Encoding {
    /// By the name in a declaration, its case does not matter; also as Java writes it: `ISO8859_1`, `Cp1252`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut name = name.to_ascii_uppercase();
        let javas = [
            ("ISO8859-", "ISO-8859-"),
            ("ISO8859_", "ISO-8859-"),
            ("CP125", "WINDOWS-125"),
        ];
        for (javas, iana) in javas {
            if let Some(number) = name.strip_prefix(javas) {
                name = format!("{iana}{number}");
            }
        }
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, encoding)| *encoding)
    }
}

impl Single {
    /// What each byte is; none for those that are nothing.
    pub(super) fn characters(self) -> [Option<char>; 256] {
        std::array::from_fn(|at| {
            let byte = u8::try_from(at).ok()?;
            match self {
                _ if byte.is_ascii() => Some(char::from(byte)),
                Self::Ascii => None,
                Self::Latin1 => Some(char::from(byte)),
                Self::Table(encoding) => {
                    let bytes = [byte];
                    let read = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
                    // Browsers fill the gaps of Windows' tables with control characters, Java leaves them.
                    let is_gap = |c: &char| encoding.name().starts_with("windows") && c.is_control();
                    read.chars().next().filter(|c| !is_gap(c))
                }
            }
        })
    }
}

/// The XML declaration at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct XmlDeclaration<'t> {
    /// Whether it says XML 1.1.
    pub(super) is_1_1: bool,
    /// The encoding that it names.
    pub(super) encoding: Option<&'t str>,
    /// From `<?xml` to `?>`, in bytes.
    pub(super) range: Range<usize>,
}

/// Reads the declaration; none where there is none. By the letter of XML, as Xerces does: a reader that is liberal here
/// takes another encoding than one that is strict.
///
/// # Errors
/// What should be a declaration and is none: where.
pub(super) fn declaration(text: &str) -> Result<Option<XmlDeclaration<'_>>, Range<usize>> {
    const BEGIN: &str = "<?xml";
    let Some(inside) = text.strip_prefix(BEGIN).filter(|rest| rest.starts_with(is_blank)) else {
        return Ok(None);
    };
    let Some(length) = inside.find("?>") else {
        return Err(0..BEGIN.len());
    };
    let range = 0..BEGIN.len() + length + "?>".len();
    let Some(said) = pseudo_attributes(&inside[..length]) else {
        return Err(range);
    };
    let names: Vec<_> = said.iter().map(|(name, _)| *name).collect();
    match names.as_slice() {
        ["version"] | ["version", "standalone" | "encoding"] | ["version", "encoding", "standalone"] => {
            let value = |wanted| {
                said.iter()
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| *value)
            };
            Ok(Some(XmlDeclaration {
                is_1_1: value("version") == Some("1.1"),
                encoding: value("encoding"),
                range,
            }))
        }
        _ => Err(range),
    }
}

/// What a declaration says, names and values in their order; none where something is none of its own.
fn pseudo_attributes(mut rest: &str) -> Option<Vec<(&str, &str)>> {
    let mut said = Vec::new();
    while !rest.trim_start_matches(is_blank).is_empty() {
        let begin = rest.strip_prefix(is_blank)?.trim_start_matches(is_blank);
        let (name, after) = begin.split_once('=')?;
        let name = name.trim_end_matches(is_blank);
        let after = after.trim_start_matches(is_blank);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        let is_good = match name {
            "version" => matches!(value, "1.0" | "1.1"),
            "encoding" => is_encoding_name(value),
            "standalone" => matches!(value, "yes" | "no"),
            _ => false,
        };
        if !is_good {
            return None;
        }
        said.push((name, value));
        rest = after;
    }
    Some(said)
}

/// XML's blanks, fewer than Unicode's.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// XML 1.0's `EncName`.
fn is_encoding_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_read_by_the_letter() {
        let encoding = |text| declaration(text).map(|it| it.and_then(|it| it.encoding));
        for (text, wanted) in [
            ("<?xml version=\"1.0\"?>", None),
            ("<?xml version='1.0' encoding='a-1'?>", Some("a-1")),
            (
                "<?xml\n version = \"1.1\"\tencoding = \"b\" standalone='yes' ?>",
                Some("b"),
            ),
            ("<?xml version=\"1.0\" standalone=\"no\"?>", None),
            ("<?xml-stylesheet href=\"a\"?>", None),
            ("<a/>", None),
            ("", None),
        ] {
            assert_eq!(encoding(text), Ok(wanted), "{text}");
        }
        for text in [
            "<?xml ?>",
            "<?xml encoding=\"a\"?>",
            "<?xml encoding=\"a\" version=\"1.0\"?>",
            "<?xml version=\"1.0\" encoding=\"a\" encoding=\"b\"?>",
            "<?xml version=\"1.0\"encoding=\"a\"?>",
            "<?xml version=\"1.0\" encoding=\"\"?>",
            "<?xml version=\"1.0\" encoding=\"1\"?>",
            "<?xml version=\"1.0\" encoding=\"a b\"?>",
            "<?xml version=\"1.0\" encoding=a?>",
            "<?xml version=\"1.0\" Encoding=\"a\"?>",
            "<?xml version=\"1.0\"\u{a0}encoding=\"a\"?>",
            "<?xml version=\"1.0\" x=\"?>\" encoding=\"a\"?>",
            "<?xml version=\"2.0\"?>",
            "<?xml version=\"1.0\"",
        ] {
            assert!(encoding(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_mean_javas_tables_in_any_case() {
        let character = |name: &str, byte: usize| match Encoding::named(name) {
            Some(Encoding::Single(single)) => single.characters()[byte],
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(character("iso-8859-1", 0x80), Some('\u{80}'));
        assert_eq!(character("Windows-1252", 0x80), Some('€'));
        assert_eq!(character("windows-1252", 0x81), None);
        assert_eq!(character("ISO-8859-2", 0xb1), Some('ą'));
        assert_eq!(character("us-ascii", 0x80), None);
        assert_eq!(character("ISO8859_15", 0xa4), Some('€'));
        assert_eq!(character("Cp1250", 0xb9), Some('ą'));
        assert_eq!(Encoding::named("Utf-8"), Some(Encoding::Utf8));
        for unknown in ["UTF-7", "UTF-16", "IBM037", "Shift_JIS", "GB18030", "KOI8-U", "x"] {
            assert_eq!(Encoding::named(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_table_keeps_ascii() {
        for (name, encoding) in NAMES {
            if let Encoding::Single(single) = encoding {
                let characters = single.characters();
                assert!(
                    (0..128u8).all(|it| characters[usize::from(it)] == Some(char::from(it))),
                    "{name}"
                );
            }
        }
    }
}
