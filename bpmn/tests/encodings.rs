//! Files in other encodings than UTF-8: read as the engine reads them, or refused.

use bpmn::{GateContext, check, decode};
use diagnostics::LineIndex;
use proptest::prelude::*;

/// What is read without a byte order mark, each with what byte 0xE9 is in it.
const SINGLE: &[(&str, char)] = &[
    ("ISO-8859-1", 'é'),
    ("latin1", 'é'),
    ("ISO-8859-2", 'é'),
    ("ISO-8859-3", 'é'),
    ("ISO-8859-4", 'é'),
    ("ISO-8859-5", 'щ'),
    ("ISO-8859-6", 'ى'),
    ("ISO-8859-7", 'ι'),
    ("ISO-8859-8", 'י'),
    ("ISO-8859-13", 'é'),
    ("ISO-8859-15", 'é'),
    ("ISO-8859-16", 'é'),
    ("KOI8-R", 'И'),
    ("windows-1250", 'é'),
    ("windows-1251", 'й'),
    ("windows-1252", 'é'),
    ("windows-1253", 'ι'),
    ("windows-1254", 'é'),
    ("windows-1256", 'é'),
    ("windows-1257", 'é'),
];

/// A model with a script behind a name: where it is found shows whether the name was read as one character.
fn smuggling(encoding: Option<&str>, name: &str) -> String {
    let encoding = encoding.map_or_else(String::new, |it| format!(" encoding=\"{it}\""));
    format!(
        "<?xml version=\"1.0\"{encoding}?>\n<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" \
         xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\">\
         <process id=\"p\" isExecutable=\"true\" camunda:historyTimeToLive=\"1\">\n\
         <task id=\"a\" name=\"{name}\"/><scriptTask id=\"s\"/></process></definitions>"
    )
}

/// The bytes of a text in which `~` stands for one that is not ASCII.
fn with_byte(text: &str, byte: u8) -> Vec<u8> {
    text.bytes()
        .map(|it| if it == b'~' { byte } else { it })
        .collect()
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = text.encode_utf16();
    units
        .flat_map(|it| {
            if little {
                it.to_le_bytes()
            } else {
                it.to_be_bytes()
            }
        })
        .collect()
}

fn marked(mark: &[u8], bytes: &[u8]) -> Vec<u8> {
    [mark, bytes].concat()
}

/// The errors: line, column and code.
fn errors(bytes: &[u8]) -> Vec<String> {
    let found = check(&[("a.bpmn", bytes)], &GateContext::default());
    let errors = found
        .iter()
        .filter(|it| it.severity == diagnostics::Severity::Error);
    errors
        .map(|it| match it.range {
            Some(range) => format!("{}:{} {}", range.start.line, range.start.column, it.code),
            None => it.code.clone(),
        })
        .collect()
}

/// The script of the model above, behind a name of one character.
const FOUND: [&str; 1] = ["3:24 script-task"];

#[test]
fn a_script_is_found_in_every_encoding_that_is_read() {
    for (encoding, c) in SINGLE {
        let bytes = with_byte(&smuggling(Some(encoding), "~"), 0xe9);
        assert_eq!(errors(&bytes), FOUND, "{encoding}");
        assert_eq!(
            decode("a", &bytes).unwrap(),
            smuggling(Some(encoding), &c.to_string()),
            "{encoding}"
        );
    }
    for encoding in ["US-ASCII", "ASCII"] {
        assert_eq!(errors(smuggling(Some(encoding), "e").as_bytes()), FOUND);
    }
    for encoding in [None, Some("UTF-8"), Some("utf8")] {
        let text = smuggling(encoding, "𝄞");
        assert_eq!(errors(text.as_bytes()), FOUND);
        assert_eq!(errors(&marked(b"\xef\xbb\xbf", text.as_bytes())), FOUND);
    }
    for encoding in [None, Some("UTF-16"), Some("utf-16")] {
        let text = smuggling(encoding, "𝄞");
        assert_eq!(errors(&marked(b"\xff\xfe", &utf16(&text, true))), FOUND);
        assert_eq!(errors(&marked(b"\xfe\xff", &utf16(&text, false))), FOUND);
    }
}

#[test]
fn iso_8859_1_is_javas_and_not_that_of_browsers() {
    let bytes = with_byte(&smuggling(Some("ISO-8859-1"), "~"), 0x80);
    assert_eq!(
        decode("a", &bytes).unwrap(),
        smuggling(Some("ISO-8859-1"), "\u{80}")
    );
    let bytes = with_byte(&smuggling(Some("windows-1252"), "~"), 0x80);
    assert_eq!(decode("a", &bytes).unwrap(), smuggling(Some("windows-1252"), "€"));
}

#[test]
fn bytes_that_are_nothing_in_the_encoding_are_refused_where_they_stand() {
    for (encoding, byte) in [
        ("US-ASCII", 0xe9),
        ("windows-1252", 0x81),
        ("windows-1253", 0xaa),
        ("ISO-8859-7", 0xff),
        ("UTF-8", 0xe9),
    ] {
        let bytes = with_byte(&smuggling(Some(encoding), "~"), byte);
        assert_eq!(errors(&bytes), ["3:20 unreadable-encoding"], "{encoding}");
    }
    assert_eq!(errors(b"<a>\r\n\xc3\xa9\xff</a>"), ["2:2 unreadable-encoding"]);
    let half = marked(
        b"\xff\xfe",
        &[utf16("<a>", true), vec![0x1e, 0xd8], utf16("</a>", true)].concat(),
    );
    assert_eq!(errors(&half), ["1:4 unreadable-encoding"]);
    let odd = marked(b"\xfe\xff", &[utf16("<a/>", false), vec![0]].concat());
    assert_eq!(errors(&odd), ["1:5 unreadable-encoding"]);
}

/// Each of these is one file to one reader and another to the next.
#[test]
fn files_of_two_readings_are_refused() {
    for encoding in [
        "UTF-7",
        "UTF-16",
        "UTF-16LE",
        "UTF-32",
        "IBM037",
        "Cp1047",
        "Shift_JIS",
        "GBK",
        "GB18030",
        "Big5",
        "EUC-JP",
        "ISO-2022-JP",
        "HZ-GB-2312",
        "CESU-8",
        "KOI8-U",
        "windows-1255",
        "ISO-8859-9",
        "x-user-defined",
        "nothing",
    ] {
        let text = smuggling(Some(encoding), "e");
        assert_eq!(errors(text.as_bytes()), ["1:1 unreadable-encoding"], "{encoding}");
    }
    // The engine goes by the declaration.
    for encoding in ["ISO-8859-1", "US-ASCII", "UTF-16", "UTF-7"] {
        let text = smuggling(Some(encoding), "e");
        let bytes = marked(b"\xef\xbb\xbf", text.as_bytes());
        assert_eq!(errors(&bytes), ["1:1 unreadable-encoding"], "{encoding}");
    }
    for encoding in ["UTF-8", "ISO-8859-1", "UTF-16BE", "UTF-16LE", "ISO-10646-UCS-2"] {
        let bytes = marked(b"\xff\xfe", &utf16(&smuggling(Some(encoding), "e"), true));
        assert_eq!(errors(&bytes), ["1:1 unreadable-encoding"], "{encoding}");
    }
    // No mark: two readers guess alike only by chance.
    for little in [true, false] {
        let bytes = utf16(&smuggling(Some("UTF-16"), "e"), little);
        assert_eq!(errors(&bytes), ["unreadable-encoding"]);
    }
    assert_eq!(errors(b"\0\0\xfe\xff\0\0\0<"), ["unreadable-encoding"]);
    // `<?xml` in EBCDIC.
    assert_eq!(errors(b"\x4c\x6f\xa7\x94\x93\x40"), ["unreadable-encoding"]);
    // A second mark, behind which one reader finds the declaration and another does not.
    let text = smuggling(Some("ISO-8859-1"), "e");
    let bytes = marked(b"\xef\xbb\xbf\xef\xbb\xbf", text.as_bytes());
    assert_eq!(errors(&bytes), ["unreadable-encoding"]);
}

/// A reader that looks for the word alone takes another encoding than one that goes by the letter.
#[test]
fn a_declaration_that_is_none_is_refused() {
    for declaration in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\" encoding=\"ISO-8859-1\"?>",
        "<?xml encoding=\"ISO-8859-1\" version=\"1.0\"?>",
        "<?xml version=\"1.0\" x='encoding=\"ISO-8859-1\"'?>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1 \"?>",
    ] {
        let text = format!("{declaration}<a/>");
        assert_eq!(errors(text.as_bytes()), ["1:1 not-xml"], "{declaration}");
    }
    // Not at the beginning it declares nothing.
    let text = format!(" {}", smuggling(Some("ISO-8859-1"), "e"));
    assert_eq!(errors(text.as_bytes()), ["1:2 not-xml"]);
}

/// There the engine takes these for blanks: `isExecutable="true\u{2028}"` would be another value to it.
#[test]
fn what_only_xml_1_1_takes_for_a_blank_is_refused_there() {
    let newer = |name: &str| smuggling(None, name).replace("version=\"1.0\"", "version=\"1.1\"");
    for c in ["\u{85}", "\u{2028}"] {
        assert_eq!(errors(newer(c).as_bytes()), ["3:20 not-xml"]);
        assert_eq!(errors(smuggling(None, c).as_bytes()), FOUND);
        let wide = marked(b"\xff\xfe", &utf16(&newer(c), true));
        assert_eq!(errors(&wide), ["3:20 not-xml"]);
    }
    assert_eq!(errors(newer("é").as_bytes()), FOUND);
}

#[test]
fn the_message_names_what_the_file_says() {
    let say = |bytes: &[u8]| decode("a.bpmn", bytes).unwrap_err().to_string();
    let utf7 = smuggling(Some("UTF-7"), "e");
    assert_eq!(
        say(utf7.as_bytes()),
        "a.bpmn:1:1: error[unreadable-encoding]: the file says that its encoding is UTF-7, which is not read"
    );
    assert_eq!(
        say(&marked(b"\xff\xfe", &utf16(&smuggling(Some("UTF-8"), "e"), true))),
        "a.bpmn:1:1: error[unreadable-encoding]: the file's byte order mark says UTF-16, its declaration UTF-8"
    );
    assert_eq!(
        say(with_byte(&smuggling(Some("windows-1252"), "~"), 0x81).as_slice()),
        "a.bpmn:3:20: error[unreadable-encoding]: byte 0x81 is nothing in the encoding that the file declares"
    );
}

/// What the engine keeps without a known name is told by its beginning.
#[test]
fn a_file_without_a_name_is_told_in_every_encoding() {
    let dmn = "<definitions xmlns=\"https://www.omg.org/spec/DMN/20191111/MODEL/\"/>";
    let bytes = marked(b"\xff\xfe", &utf16(dmn, true));
    assert_eq!(bpmn::FileKind::of("id:1:2", &bytes), bpmn::FileKind::Dmn);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_there_is_an_answer_with_a_place_in_the_text(
        mark in prop::sample::select(vec![b"".as_slice(), b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]),
        encoding in prop::sample::select(SINGLE).prop_map(|(name, _)| name),
        bytes in prop::collection::vec(prop::num::u8::ANY, 0..64),
    ) {
        let declaration = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?><a>");
        for head in [b"".as_slice(), declaration.as_bytes()] {
            let file = [mark, head, &bytes, b"</a>"].concat();
            let found = check(&[("a.bpmn", file.as_slice())], &GateContext::default());
            prop_assert!(!found.is_empty());
            if let Ok(text) = decode("a.bpmn", &file) {
                let end = LineIndex::new(&text).position(text.len());
                prop_assert!(found.iter().filter_map(|it| it.range).all(|it| it.end <= end), "{found:?}");
            }
        }
    }
}
