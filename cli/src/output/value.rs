//! Values and ids on one line.

use serde_json::Value as Json;

/// As many characters of an id as tell instances apart in practice; commands take them for the whole.
const SHORT_ID: usize = 8;

/// What a theme uses: bold, dim, red, green, yellow, cyan, and the ends of those.
const STYLES: [&str; 9] = ["0", "1", "2", "22", "31", "32", "33", "36", "39"];

/// A value as compact JSON, cut to a number of characters. Control characters stand escaped, as JSON has them.
pub(crate) fn one_line(value: &Json, characters: usize) -> String {
    shorten(&value.to_string(), characters)
}

/// A text cut to a number of characters, an ellipsis in place of what is missing; line breaks and other control
/// characters become spaces, so that no text can play tricks with the terminal.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    let mut shown: String = text.chars().take(characters).map(printable).collect();
    if text.chars().nth(characters).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The text with all control characters but line breaks and tabs made harmless.
pub(crate) fn harmless(text: &str) -> String {
    let keep = |c| matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if keep(c) { c } else { printable(c) })
        .collect()
}

/// The text made [`harmless`] but for the colours and weights that a theme gives.
pub(crate) fn printed(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut shown = harmless(parts.next().unwrap_or_default());
    for part in parts {
        let style = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        match style.filter(|(codes, _)| codes.split(';').all(|code| STYLES.contains(&code))) {
            Some((codes, rest)) => {
                shown.push_str(&format!("\u{1b}[{codes}m"));
                shown.push_str(&harmless(rest));
            }
            None => {
                shown.push(' ');
                shown.push_str(&harmless(part));
            }
        }
    }
    shown
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The beginning of an id.
pub(crate) fn short_id(id: &str) -> &str {
    id.char_indices().nth(SHORT_ID).map_or(id, |(end, _)| &id[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_characters_and_cannot_steer_the_terminal() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("a\u{1b}[2J\nb", 20), "a [2J b");
        assert_eq!(harmless("a\n\u{1b}[2J"), "a\n [2J");
        assert_eq!(
            printed(
                "\u{1b}[31ma\u{1b}[0m\tb\n\u{1b}[2Jc\u{1b}]0;title\u{7}\u{9b}2J\u{1b}[8md\u{1b}[1;2m\r\u{1b}"
            ),
            "\u{1b}[31ma\u{1b}[0m\tb\n [2Jc ]0;title  2J [8md\u{1b}[1;2m  "
        );
        assert_eq!(one_line(&serde_json::json!({"a": "x\ny"}), 20), r#"{"a":"x\ny"}"#);
    }

    #[test]
    fn an_id_is_known_by_its_beginning() {
        assert_eq!(short_id("735d8ccd-e56e-11f1-a45b-02fc00000001"), "735d8ccd");
        assert_eq!(short_id("abc"), "abc");
    }
}
