//! How much of a failure's body an error may quote.
//!
//! Pages of servers and proxies like to repeat what was asked for, and queries carry identity and phone numbers in their
//! URL. So whatever looks like a part of a URL, and every long number, is masked.

use super::Answer;

/// How much of a body is quoted, in bytes.
const EXCERPT_BYTES: usize = 200;

/// The shortest run of digits that could be a part of somebody's number.
const LONG_NUMBER_DIGITS: usize = 5;

const MASK: &str = "***";

/// The first bytes of a failure's body; of a success only its length and type are ever told.
pub(super) fn excerpt(answer: &Answer) -> Option<String> {
    if (200..300).contains(&answer.status) || answer.body.is_empty() {
        return None;
    }
    let end = answer.body.len().min(EXCERPT_BYTES);
    Some(masked(&String::from_utf8_lossy(&answer.body[..end])))
}

fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_edge) {
        let word = piece.trim_end_matches(is_edge);
        let telling = is_of_a_url(word) || has_long_number(word);
        shown += if telling { MASK } else { word };
        shown += &piece[word.len()..];
    }
    shown
}

/// Whether a word ends here.
fn is_edge(c: char) -> bool {
    c.is_whitespace() || "<>()[]{}\"'`,;".contains(c)
}

/// Whether this is an address, a path of several parts, or a parameter with its value.
fn is_of_a_url(word: &str) -> bool {
    let has_value = |(_, value): (&str, &str)| !value.is_empty();
    word.contains(['?', '%'])
        || word.matches('/').count() > 1
        || word.split_once('=').is_some_and(has_value)
}

fn has_long_number(word: &str) -> bool {
    let mut runs = word.split(|c: char| !c.is_ascii_digit());
    runs.any(|run| run.len() >= LONG_NUMBER_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_says_of_itself_is_shown() {
        for page in [
            "<html><h1>503 Service Unavailable</h1><hr>nginx/1.18.0</html>\r\n",
            r#"{"message":"no route","code":1234}"#,
            "<p class=\"big\">Bad Gateway</p>",
        ] {
            assert_eq!(masked(page), page);
        }
    }

    #[test]
    fn what_a_page_repeats_of_the_message_is_masked() {
        for (page, shown) in [
            ("Cannot GET /moneytransfer/v2/orders", "Cannot GET ***"),
            (
                "<b>/admin/customers?idNumber=8001015009087&amp;x=y</b>",
                "<b>***;***</b>",
            ),
            ("see 'https://host/x' (a=b)", "see '***' (***)"),
            ("no such customer: 8001015009087.", "no such customer: ***"),
            ("+27821234567 %2B27", "*** ***"),
            (r#"{"idNumber":"8001015009087"}"#, r#"{"idNumber":"***"}"#),
        ] {
            assert_eq!(masked(page), shown);
        }
    }
}
