//! What an operator reads of a failed attempt: one sentence, and all that is known behind it.

use std::borrow::Cow;

use engine_client::limits::{LONGEST_MESSAGE, shortened};
use worker_api::Failure;

/// The engine keeps details without a limit of its own, and hands them to everybody who looks at an incident: an answer
/// of a service that stands in them as a whole would cost the engine's memory at each look.
const LONGEST_DETAILS: usize = 64 * 1024;

/// How much of them is kept from their end, where a cause chain has its root.
const TAIL: usize = LONGEST_DETAILS / 4;

/// The failure's sentence as the engine can keep it.
pub(crate) fn message(failure: &Failure) -> String {
    shortened(&failure.message, LONGEST_MESSAGE).into_owned()
}

/// The whole sentence where it does not stand as a whole in [`message`], what the failure tells, and the note on who
/// has tried what.
pub(crate) fn details(failure: &Failure, note: &str) -> String {
    let sentence = &failure.message;
    let is_whole = matches!(shortened(sentence, LONGEST_MESSAGE), Cow::Borrowed(_));
    let told = match &failure.details {
        None => Cow::Borrowed(sentence.as_str()),
        Some(details) if is_whole || details.starts_with(sentence.as_str()) => {
            Cow::Borrowed(details.as_str())
        }
        Some(details) => Cow::Owned(format!("{sentence}\n\n{details}")),
    };
    bounded(&format!("{told}\n\n{note}")).replace('\0', "\u{fffd}")
}

/// The start and the end of a long text.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_DETAILS {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(LONGEST_DETAILS - TAIL);
    let tail = text.ceil_char_boundary(text.len() - TAIL);
    Cow::Owned(format!(
        "{}\n… ({} bytes left out) …\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "attempt 1 of 3";

    #[test]
    fn a_sentence_that_fits_is_not_told_twice() {
        let failure = Failure::retryable("no luck");
        assert_eq!(message(&failure), "no luck");
        assert_eq!(details(&failure, NOTE), "no luck\n\nattempt 1 of 3");
        let failure = failure.with_details("why\nand where");
        assert_eq!(details(&failure, NOTE), "why\nand where\n\nattempt 1 of 3");
    }

    #[test]
    fn a_sentence_that_does_not_fit_stands_whole_at_the_top_of_the_details() {
        let long = "\u{1F600}".repeat(400);
        let failure = Failure::retryable(&long).with_details("why");
        assert!(message(&failure).ends_with("\u{1F600}…"));
        assert_eq!(message(&failure).encode_utf16().count(), 665);
        assert_eq!(
            details(&failure, NOTE),
            format!("{long}\n\nwhy\n\nattempt 1 of 3")
        );
    }

    #[test]
    fn long_details_keep_their_start_their_end_and_the_note() {
        let text = format!("start {} root cause", "ä".repeat(100_000));
        let told = details(&Failure::retryable("no").with_details(text), NOTE);
        assert!(told.len() < LONGEST_DETAILS + 100, "{}", told.len());
        assert!(told.starts_with("start ä") && told.ends_with("ä root cause\n\nattempt 1 of 3"));
        assert!(told.contains("bytes left out"));
    }

    #[test]
    fn the_zero_character_is_in_neither() {
        let failure = Failure::retryable("a\0b").with_details("c\0d");
        assert!(!message(&failure).contains('\0') && !details(&failure, NOTE).contains('\0'));
    }
}
